//! The command tree holds together, and the guide holds to it.

use super::*;
use clap::CommandFactory as _;
use std::path::Path;

#[test]
fn the_command_tree_contradicts_itself_nowhere() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_option_has_a_help_text() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} has no help");
        for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
            assert!(arg.get_help().is_some(), "{path}: {} has no help", arg.get_id());
        }
        command.get_subcommands().for_each(|c| check(c, &path));
    }
    check(&Cli::command(), "");
}

#[test]
fn a_plural_is_the_same_noun() {
    let check = |line: &str| {
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    };
    check("postroad contacts show a@example.com");
    check("postroad lists list");
    check("postroad campaigns list --format json");
    check("postroad relays list");
    check("postroad suppressions list");
}

/// Every page of the guide.
fn guide() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    let mut pages: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn the_guide_has_a_heading_for_each_command_and_names_each_of_its_options() {
    fn check(
        command: &clap::Command,
        path: &str,
        pages: &[(String, String)],
        missing: &mut Vec<String>,
    ) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        if command.has_subcommands() {
            command.get_subcommands().for_each(|c| check(c, &path, pages, missing));
            return;
        }
        let head = format!("`{path}`");
        let has = |page: &str| page.lines().any(|l| l.starts_with('#') && l.contains(&head));
        let Some((name, page)) = pages.iter().find(|(_, page)| has(page)) else {
            missing.push(format!("a heading with {head}"));
            return;
        };
        for long in
            command.get_arguments().filter(|a| !a.is_global_set()).filter_map(|a| a.get_long())
        {
            if !["help", "version"].contains(&long) && !page.contains(&format!("--{long}")) {
                missing.push(format!("{name}: --{long} of {path}"));
            }
        }
    }
    let mut missing = Vec::new();
    check(&Cli::command(), "", &guide(), &mut missing);
    assert!(missing.is_empty(), "docs/guide lacks:\n  {}", missing.join("\n  "));
}

/// What these print is no data: a log, a script for a shell.
const WITHOUT_DATA: [&str; 2] = ["serve", "completions"];

#[test]
fn every_command_that_prints_data_has_a_schema_and_every_schema_a_command() {
    fn names(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{path}-{}", inner.get_name()).trim_start_matches('-').to_owned();
            if inner.has_subcommands() {
                names(inner, &path, found);
            } else {
                found.push(path);
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut wanted = Vec::new();
    names(&Cli::command(), "", &mut wanted);
    wanted.retain(|name| !WITHOUT_DATA.contains(&name.as_str()));
    wanted.sort_unstable();
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name != "common")
        .collect();
    there.sort_unstable();
    assert_eq!(there, wanted, "docs/schemas (left) and the commands (right)");
    for name in wanted {
        let (title, link) = (name.replacen('-', " ", 1), format!("[{name}.json]({name}.json)"));
        let row = format!("| `postroad {title}` | {link} |");
        assert!(table.contains(&row), "docs/schemas/README.md lacks the row {row}");
    }
}

/// Words of a shell line; quotes hold words together, a comment ends it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' | '>' | '<' | '|' if !quoted && word.is_empty() => break,
            ' ' if !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[test]
fn every_command_line_in_the_guide_and_the_readme_can_be_typed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let mut pages = guide();
    pages.push(("README.md".into(), std::fs::read_to_string(readme).unwrap()));
    let mut lines = 0;
    for (name, page) in pages {
        for line in page
            .lines()
            .filter_map(|l| l.rsplit("| ").next())
            .filter(|l| l.starts_with("postroad "))
        {
            lines += 1;
            if let Err(error) = Cli::try_parse_from(words(line)) {
                panic!("{name}: {line}\n{error}");
            }
        }
    }
    assert!(lines > 50, "only {lines} lines were found");
}
