//! Manifests: one place for versions, the same lints everywhere.

use crate::repository::{none, read, sources};

fn crate_manifests() -> Vec<crate::repository::Source> {
    let mut all = sources("crates", "Cargo.toml");
    all.extend(sources("benches", "Cargo.toml"));
    all
}

#[test]
fn versions_stand_in_the_root_manifest_only() {
    let mut findings = Vec::new();
    for manifest in crate_manifests() {
        let own = manifest.text.lines().filter(|l| {
            let has_version = l.contains("version = \"")
                || l.contains("= \"") && in_dependencies(&manifest.text, l);
            has_version && !l.trim_start().starts_with('#')
        });
        findings.extend(own.map(|l| format!("{}: {l}", manifest.path)));
    }
    none(&findings, "move the version to [workspace.dependencies] of Cargo.toml:");
}

/// True when the line stands in a `[...dependencies]` section.
fn in_dependencies(text: &str, line: &str) -> bool {
    let mut inside = false;
    for l in text.lines() {
        if l.starts_with('[') {
            inside = l.ends_with("dependencies]");
        } else if inside && l == line {
            return true;
        }
    }
    false
}

#[test]
fn every_crate_inherits_the_lints_and_stays_unpublished() {
    let mut findings = Vec::new();
    for manifest in crate_manifests() {
        for wanted in ["[lints]\nworkspace = true", "publish = false", "license.workspace = true"] {
            if !manifest.text.contains(wanted) {
                findings.push(format!("{} lacks {wanted:?}", manifest.path));
            }
        }
    }
    none(&findings, "each crate's manifest begins as its neighbours' do:");
}

#[test]
fn the_toolchain_is_pinned_and_named_alike() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|l| l.strip_prefix("channel = \"")).unwrap();
    let minor = channel.trim_end_matches('"').rsplit_once('.').unwrap().0;
    let wanted = format!("rust-version = \"{minor}\"");
    assert!(read("Cargo.toml").contains(&wanted), "Cargo.toml should say {wanted}");
}
