//! Source files: their headers, their length, and words that do not belong there.

use crate::repository::{none, sources};

const MAX_LINES: usize = 450;
/// What the header of a longer file says, followed by the reason.
const EXCUSE: &str = "Longer than 450 lines";

/// Split, so that this file does not hold them: folders of single machines, hosts of package registries.
const FORBIDDEN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/t", "mp/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("debian", ".org"),
    concat!("proxy.golang", ".org"),
];

/// The leading `//!` lines.
fn header(text: &str) -> String {
    text.lines().take_while(|l| l.starts_with("//!")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_source_file_begins_with_what_it_is() {
    let bare: Vec<String> = sources("crates", ".rs")
        .into_iter()
        .filter(|s| header(&s.text).trim_start_matches("//!").trim().is_empty())
        .map(|s| s.path)
        .collect();
    none(&bare, "begin these with a `//!` header (docs/architecture.md says what belongs in it):");
}

#[test]
fn a_long_file_says_why_it_is_long() {
    let long: Vec<String> = ["crates", "benches"]
        .iter()
        .flat_map(|folder| sources(folder, ".rs"))
        .filter(|s| s.text.lines().count() > MAX_LINES && !header(&s.text).contains(EXCUSE))
        .map(|s| format!("{}: {} lines", s.path, s.text.lines().count()))
        .collect();
    none(&long, &format!("split these, or say in the header `{EXCUSE}: <why>`:"));
}

#[test]
fn no_file_names_a_single_machine_or_a_package_registry() {
    let mut findings = Vec::new();
    for source in sources("", "").iter().filter(|s| s.path != "Cargo.lock") {
        for (n, line) in source.text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|w| names(line, w)) {
                findings.push(format!("{}:{}: {word}", source.path, n + 1));
            }
        }
    }
    none(&findings, "the repository must make sense anywhere; remove:");
}

/// True when the line holds the word, a folder only at the start of a path (`/a/tmp/b` names no machine).
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/') || !before.is_some_and(|c| c.is_alphanumeric() || "-_.}".contains(c))
    })
}

#[test]
fn a_folder_counts_only_at_the_start_of_a_path() {
    let word = concat!("/t", "mp/");
    assert!(names(&format!("see {word}x"), word));
    assert!(!names(&format!("$HOME{word}x"), word));
}
