//! Documents: RFCs that the code cites are listed, links lead somewhere, commands exist, sizes stay readable.

use crate::repository::{none, read, root, sources, table};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers after `RFC `, also in `RFC 3462/6522`.
fn cited(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("RFC ") {
        let tail = &text[at + 4..];
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != '/').unwrap_or(tail.len());
        found.extend(tail[..end].split('/').filter_map(|n| n.parse::<u32>().ok()));
    }
    found
}

#[test]
fn every_rfc_that_the_code_cites_is_listed() {
    let rows = table("docs/rfcs.md", &["RFC", "title", "status", "where"]);
    let numbers: Vec<u32> = rows.iter().map(|r| r[0].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "docs/rfcs.md is sorted by number, each once");
    let mut missing: BTreeMap<u32, String> = BTreeMap::new();
    for source in sources("crates", ".rs") {
        for number in cited(&source.text).into_iter().filter(|n| !numbers.contains(n)) {
            missing.entry(number).or_insert(source.path.clone());
        }
    }
    let missing: Vec<String> =
        missing.into_iter().map(|(n, at)| format!("RFC {n}: {at}")).collect();
    none(&missing, "add a row to docs/rfcs.md for:");
    for row in rows {
        let known = ["yes", "partial", "no"].contains(&row[2].as_str());
        assert!(known, "RFC {}: status is yes, partial or no", row[0]);
        for folder in row[3].split(", ").filter(|_| row[2] != "no") {
            let folder = folder.trim_matches('`');
            let there = root().join("crates").join(folder).is_dir();
            assert!(there, "RFC {}: crates/{folder} is not there", row[0]);
        }
    }
}

#[test]
fn numbers_joined_by_a_slash_are_two_rfcs() {
    assert_eq!(cited("RFC 3462/6522, RFC 5321."), BTreeSet::from([3462, 5321, 6522]));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in sources("", ".md") {
        let folder = root().join(&document.path).parent().unwrap().to_path_buf();
        for (at, _) in document.text.match_indices("](") {
            let tail = &document.text[at + 2..];
            let target = tail[..tail.find(')').unwrap_or(0)].split('#').next().unwrap();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !outside && !folder.join(target).exists() {
                broken.push(format!("{}: {target}", document.path));
            }
        }
    }
    none(&broken, "these links lead nowhere:");
}

#[test]
fn every_xtask_that_a_document_names_exists() {
    let tasks = read("crates/xtask/src/main.rs");
    let mut unknown = Vec::new();
    for document in sources("", ".md") {
        for (at, text) in document.text.match_indices("cargo xtask ") {
            let tail = &document.text[at + text.len()..];
            let end = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
            if end > 0 && !tasks.contains(&format!("\"{}\"", &tail[..end])) {
                unknown.push(format!("{}: cargo xtask {}", document.path, &tail[..end]));
            }
        }
    }
    none(&unknown, "crates/xtask/src/main.rs has no such task:");
}

#[test]
fn the_readme_names_the_two_commands() {
    let readme = read("README.md");
    for command in ["cargo run --release -- demo", "cargo xtask test"] {
        assert!(readme.contains(command), "README.md should name {command:?}");
    }
}

#[test]
fn the_picture_of_the_whole_fits_in_250_lines() {
    let lines = read("docs/architecture.md").lines().count();
    assert!(lines <= 250, "docs/architecture.md has {lines} lines");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read("docs/architecture.md");
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    let missing: Vec<String> = crates
        .map(|c| c.unwrap().file_name().into_string().unwrap())
        .filter(|name| !map.contains(&format!("`{name}`")))
        .collect();
    none(&missing, "docs/architecture.md lacks:");
}
