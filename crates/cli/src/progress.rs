//! Progress bars, on a terminal only.
//!
//! A pipe or a log gets nothing from here; `--quiet` and `--format json` do neither.

use crate::{environment, output::Output};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that may be invisible.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

fn bar(output: Output, total: Option<u64>, style: &str) -> Progress {
    let visible = environment::stderr_is_terminal() && !output.is_quiet() && !output.is_json();
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("=> "));
    }
    Progress(bar)
}

impl Progress {
    /// Octets of a file; without a size it only counts.
    pub fn bytes(output: Output, total: Option<u64>) -> Self {
        let style = if total.is_some() {
            "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}"
        } else {
            "{msg} {bytes}"
        };
        bar(output, total, style)
    }

    /// People.
    pub fn people(output: Output, total: u64) -> Self {
        bar(output, Some(total), "[{bar:30}] {pos}/{len} {msg}")
    }

    pub fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    pub fn total(&self, total: u64) {
        self.0.set_length(total);
    }

    pub fn message(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }

    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}
