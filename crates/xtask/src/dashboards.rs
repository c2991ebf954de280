//! `cargo xtask dashboards`: holds deploy/grafana's dashboards against Grafana's own types.
//!
//! Everything else about them is checked by the tests of crates/metrics; this part stands here because it installs two
//! packages of npm (26 MB) into a folder that git does not keep.

use crate::command::{program, root};
use anyhow::Result;

/// Installs what the lock file names, then compiles each dashboard as a literal of Grafana's types.
pub fn check() -> Result<()> {
    let folder = root().join("deploy/grafana/check");
    program("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .run()?;
    program("node", &["check.mjs"]).current_dir(&folder).run()
}
