//! `cargo xtask dashboards` holds deploy/grafana's dashboards against Grafana's own types; `cargo xtask draw` draws them.
//!
//! Everything else about them is checked by the tests of crates/metrics; these parts stand here because they install
//! packages of npm into folders that git does not keep: two (26 MB) for the types, some 400 (430 MB) for the pictures,
//! which is why nothing else calls `draw`.

use crate::command::{program, root};
use anyhow::Result;
use std::path::Path;

/// Installs what the lock file names, then compiles each dashboard as a literal of Grafana's types.
pub fn check() -> Result<()> {
    let folder = root().join("deploy/grafana/check");
    install(&folder)?;
    program("node", &["check.mjs"]).current_dir(&folder).run()
}

/// Draws each dashboard with Grafana's panel components in a headless Chromium. Without options: a made-up campaign, into
/// docs/pictures.
pub fn draw(options: &[String]) -> Result<()> {
    let folder = root().join("deploy/grafana/draw");
    install(&folder)?;
    let usual = ["--sample", "--out", "../../../docs/pictures"].map(str::to_owned);
    let options = if options.is_empty() { &usual[..] } else { options };
    program("node", &["draw.mjs"]).args(options).current_dir(&folder).run()
}

fn install(folder: &Path) -> Result<()> {
    let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps"];
    program("npm", &options).current_dir(folder).run()
}
