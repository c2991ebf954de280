//! The demo as a new user runs it: in an empty folder, judged by the numbers that it prints.

use crate::command::{cargo, root};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;

/// An empty folder, removed when the check is over and all is well.
struct Empty(PathBuf);

impl Empty {
    fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("postroad-demo-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

/// Builds the program, runs `postroad demo --format json` and checks that every number adds up.
pub fn check() -> Result<()> {
    let folder = Empty::make()?;
    let manifest = root().join("Cargo.toml").display().to_string();
    let line =
        cargo(&["run", "--quiet", "--manifest-path", &manifest, "--", "demo", "--format", "json"]);
    let mut command = line.current_dir(&folder.0).into_command();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the demo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{}", text.trim_end());
    ensure!(output.status.success(), "the demo ended with {}", output.status);
    let report = serde_json::from_str(&text).context("the demo's output is no JSON object")?;
    judge(&report)?;
    std::fs::remove_dir_all(&folder.0).context("cannot remove the demo's folder")
}

/// What the demo promises: nobody twice, nobody lost, no limit passed.
fn judge(report: &Value) -> Result<()> {
    let number = |key: &str| {
        report[key].as_i64().with_context(|| format!("the demo's report lacks the number {key:?}"))
    };
    let audience = number("audience")?;
    let mut ended = 0;
    for state in ["accepted", "rejected", "unknown", "suppressed"] {
        ended += number(state)?;
    }
    for state in ["bounced", "expired", "cancelled", "failed"] {
        ended += report[state].as_i64().unwrap_or(0);
    }
    if ended != audience {
        bail!("{audience} people in the audience, {ended} in some end state");
    }
    ensure!(audience >= 4_000, "an audience of {audience} out of 5,000 contacts is too small");
    for zero in ["duplicates", "over_quota", "imbalance", "unknown"] {
        ensure!(number(zero)? == 0, "{zero} is {} and should be 0", number(zero)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({"audience": 4900, "accepted": 4800, "rejected": 90, "unknown": 0, "suppressed": 10,
            "duplicates": 0, "over_quota": 0, "imbalance": 0, "seconds": 21.5})
    }

    #[test]
    fn numbers_that_add_up_pass() {
        judge(&report()).unwrap();
    }

    #[test]
    fn each_number_that_does_not_add_up_fails() {
        let check = |key: &str, value: i64| {
            let mut report = report();
            report[key] = value.into();
            assert!(judge(&report).is_err(), "{key}");
        };
        check("accepted", 4799);
        check("duplicates", 1);
        check("over_quota", 1);
        check("imbalance", 1);
        check("audience", 10);
    }

    #[test]
    fn a_missing_number_fails() {
        assert!(judge(&json!({"audience": 4900})).is_err());
    }
}
