//! What happens when a program that a test needs is not installed: said loudly at home, a failure in CI.
//!
//! The line goes past the test runner's capture straight to stderr, so that `cargo xtask test` can count it.

use std::io::Write;

/// The variable that turns skips into failures.
pub const NO_SKIP: &str = "POSTROAD_NO_SKIP";

/// Says that the running test is skipped, and why; the caller returns right after it.
///
/// # Panics
/// Where `POSTROAD_NO_SKIP` is set and not `0`.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!skips_are_failures(), "{NO_SKIP} is set, and {test} would be skipped: {reason}");
    // Nothing can be done about a closed stderr.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {reason}");
}

#[expect(clippy::disallowed_methods, reason = "the test runner's environment is the argument here")]
fn skips_are_failures() -> bool {
    std::env::var_os(NO_SKIP).is_some_and(|v| !v.is_empty() && v != "0")
}
