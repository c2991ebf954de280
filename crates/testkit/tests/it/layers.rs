//! Arrows point down only, and each named protocol or storage crate has its owners (docs/architecture.md).

use crate::repository::{none, read, root};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Crates by layer, lowest first. A crate may depend on crates of lower layers only, never on its own layer.
const LAYERS: &[(&str, &[&str])] = &[
    ("words", &["postroad-model"]),
    (
        "leaf",
        &[
            "postroad-planner",
            "postroad-render",
            "postroad-dkim",
            "postroad-dns",
            "postroad-http",
            "postroad-bounce",
            "postroad-smtpd",
            "postroad-mailbox",
            "postroad-store",
            "postroad-metrics",
            "postroad-config",
        ],
    ),
    (
        "service",
        &[
            "postroad-import",
            "postroad-campaign",
            "postroad-delivery",
            "postroad-feedback",
            "postroad-placement",
        ],
    ),
    ("web", &["postroad-web"]),
    ("program", &["postroad"]),
    ("tools", &["postroad-testkit", "xtask"]),
    ("bench", &["postroad-bench"]),
];

/// Who may depend on a crate that speaks a protocol, a format or to a database. Any crate's tests may use any.
const OWNERS: &[(&str, &[&str])] = &[
    ("sqlx", &["postroad-store"]),
    ("mail-auth", &["postroad-dkim", "postroad-dns"]),
    // feedback: the signatures of webhooks.
    ("aws-lc-rs", &["postroad-dkim", "postroad-feedback"]),
    ("hickory-resolver", &["postroad-dns"]),
    ("mail-parser", &["postroad-bounce", "postroad-mailbox"]),
    // delivery: mail-send's EHLO answer is smtp-proto's type.
    ("smtp-proto", &["postroad-smtpd", "postroad-delivery"]),
    ("mail-send", &["postroad-delivery"]),
    ("async-imap", &["postroad-mailbox"]),
    ("governor", &["postroad-delivery"]),
    ("csv", &["postroad-import"]),
    ("encoding_rs", &["postroad-import"]),
    ("chardetng", &["postroad-import"]),
    ("sqlparser", &["postroad-campaign"]),
    ("axum", &["postroad-web"]),
    ("clap", &["postroad"]),
    ("indicatif", &["postroad"]),
    ("ratatui", &["postroad"]),
    ("prometheus", &["postroad-metrics"]),
    ("reqwest", &["postroad-http"]),
    ("handlebars", &["postroad-render"]),
    ("mail-builder", &["postroad-render"]),
    ("mrml", &["postroad-render"]),
    ("css-inline", &["postroad-render"]),
    ("html2text", &["postroad-render"]),
    ("idna", &["postroad-model"]),
    // bounce: its rules are a TOML file; campaign: campaign.toml; cli: what `init` and `config show` write.
    ("toml", &["postroad-config", "postroad-bounce", "postroad-campaign", "postroad"]),
];

fn packages() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().unwrap().packages
}

fn layer(name: &str) -> Option<(usize, &'static str)> {
    let (n, (title, _)) =
        LAYERS.iter().enumerate().find(|(_, (_, crates))| crates.contains(&name))?;
    Some((n, title))
}

fn is_ours(name: &str) -> bool {
    name == "postroad" || name == "xtask" || name.starts_with("postroad-")
}

#[test]
fn every_crate_has_a_layer() {
    let unlisted: Vec<String> =
        packages().iter().map(|p| p.name.to_string()).filter(|n| layer(n).is_none()).collect();
    none(
        &unlisted,
        "give it a layer in crates/testkit/tests/it/layers.rs and docs/architecture.md:",
    );
}

#[test]
fn arrows_point_down_only() {
    let mut findings = Vec::new();
    for package in packages() {
        let Some((above, above_title)) = layer(&package.name) else { continue };
        let ours = package.dependencies.iter().filter(|d| is_ours(&d.name));
        for dependency in ours.filter(|d| d.kind != DependencyKind::Development) {
            let Some((below, below_title)) = layer(&dependency.name) else { continue };
            if below >= above {
                findings.push(format!(
                    "{} ({above_title}) must not depend on {} ({below_title})",
                    package.name, dependency.name
                ));
            }
        }
    }
    none(
        &findings,
        "leaves and services meet in rows and in the crates above them, never each other:",
    );
}

#[test]
fn the_words_know_nothing_of_the_rest_not_even_in_tests() {
    let model = packages().into_iter().find(|p| p.name.as_str() == "postroad-model").unwrap();
    let up: Vec<String> =
        model.dependencies.into_iter().map(|d| d.name).filter(|n| is_ours(n)).collect();
    none(&up, "crates/model/Cargo.toml must not name:");
}

#[test]
fn each_named_crate_is_used_by_its_owners_alone() {
    let mut findings = Vec::new();
    for package in packages().iter().filter(|p| layer(&p.name).is_none_or(|(_, t)| t != "tools")) {
        for dependency in &package.dependencies {
            let owners = OWNERS.iter().find(|(name, _)| *name == dependency.name);
            if let Some((name, owners)) = owners
                && dependency.kind != DependencyKind::Development
                && !owners.contains(&package.name.as_str())
            {
                findings.push(format!("{} uses {name}, which {owners:?} owns", package.name));
            }
        }
    }
    none(
        &findings,
        "ask the owner for what you need (crates/testkit/tests/it/layers.rs, deny.toml):",
    );
}

#[test]
fn deny_toml_names_the_same_owners() {
    let deny = read("deny.toml");
    let mut missing = Vec::new();
    for (name, owners) in OWNERS {
        let line = deny.lines().find(|l| l.contains(&format!("name = \"{name}\"")));
        let wrapped = line.is_some_and(|l| owners.iter().all(|o| l.contains(&format!("\"{o}\""))));
        if !wrapped {
            missing.push(format!("{name}: {owners:?}"));
        }
    }
    none(&missing, "deny.toml, [bans] deny, lacks the owners of:");
}
