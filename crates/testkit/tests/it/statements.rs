//! SQL: each statement file begins with its name, and both engines have the same migrations.

use crate::repository::{none, sources};
use std::collections::BTreeSet;

#[test]
fn every_statement_begins_with_its_name_and_purpose() {
    let mut findings = Vec::new();
    let statements = sources("crates/store/src", ".sql");
    assert!(!statements.is_empty(), "crates/store/src holds the statements");
    for statement in statements {
        let file = statement.path.rsplit_once('/').unwrap().1;
        let name = file.split_once('.').unwrap().0;
        let first = statement.text.lines().next().unwrap_or_default();
        let purpose = first.strip_prefix(&format!("-- {name}: ")).unwrap_or_default();
        if purpose.trim().is_empty() {
            findings.push(format!("{}: {first:?}", statement.path));
        }
    }
    none(&findings, "the first line of a statement is `-- file_name: what it is for`:");
}

#[test]
fn both_engines_have_the_same_migrations_numbered_without_gaps() {
    let names = |engine: &str| -> Vec<String> {
        let all = sources(&format!("migrations/{engine}"), ".sql");
        all.iter().map(|s| s.path.rsplit_once('/').unwrap().1.to_owned()).collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert_eq!(sqlite, postgres, "migrations/sqlite and migrations/postgres");
    for (n, name) in sqlite.iter().enumerate() {
        let number = format!("{:04}_", n + 1);
        assert!(name.starts_with(&number), "{name} should begin with {number}");
    }
}

#[test]
fn both_engines_have_the_same_tables_and_columns() {
    let tables = |engine: &str| -> BTreeSet<String> {
        sources(&format!("migrations/{engine}"), ".sql")
            .iter()
            .flat_map(|s| columns(&s.text))
            .collect()
    };
    let (sqlite, postgres) = (tables("sqlite"), tables("postgres"));
    let findings: Vec<String> = sqlite.symmetric_difference(&postgres).cloned().collect();
    none(&findings, "only one of migrations/{sqlite,postgres} has:");
}

/// `table.column` for each line of a CREATE TABLE that begins with a column name.
fn columns(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut table = None;
    for line in sql.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.split([' ', '(']).next().map(str::to_owned);
        } else if line.starts_with(')') {
            table = None;
        } else if let Some(table) = &table {
            let word = line.split_whitespace().next().unwrap_or_default();
            let is_column = !word.is_empty()
                && line.starts_with("    ")
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if is_column {
                found.push(format!("{table}.{word}"));
            }
        }
    }
    found
}
