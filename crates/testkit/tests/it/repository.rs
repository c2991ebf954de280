//! The repository as the tests see it: its root, its text files, its crates.

use std::fs;
use std::path::{Path, PathBuf};

/// One text file.
pub struct Source {
    /// Path from the root with `/`.
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    crates.parent().unwrap().to_path_buf()
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every text file under a folder of the root (`""`: all of it) whose name ends so. Folders that are built or belong
/// to tools are left out.
pub fn sources(under: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(under), ending, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, ending: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
        if path.is_dir() {
            if !["target", ".git", "node_modules", "demo"].contains(&name.as_str()) {
                walk(&path, ending, found);
            }
        } else if name.ends_with(ending)
            && name != ".git" // of a second work tree: a file with a path
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}

/// The cells of each row of every Markdown table whose header row has exactly these cells.
pub fn table(document: &str, header: &[&str]) -> Vec<Vec<String>> {
    let text = read(document);
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|c| c.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('|') && cells(line) == header {
            lines.next(); // the rule under the header
            rows.extend(lines.by_ref().take_while(|l| l.starts_with('|')).map(cells));
        }
    }
    assert!(!rows.is_empty(), "{document} has no table | {} |", header.join(" | "));
    rows
}

/// Fails with all findings at once.
pub fn none(findings: &[String], remedy: &str) {
    assert!(findings.is_empty(), "{remedy}\n  {}", findings.join("\n  "));
}
