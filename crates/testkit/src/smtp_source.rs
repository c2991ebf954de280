//! Postfix's `smtp-source`: an SMTP client that is not ours, to try our server with.

use crate::program::find;
use crate::skip::skip;
use std::net::SocketAddr;
use std::process::{Command, Output};

/// Runs it against an address with these options of smtp-source(1), e.g. `["-m", "100", "-s", "10"]`, and waits for
/// its end; `None` after saying `SKIPPED` when Postfix is not installed.
///
/// # Panics
/// When it cannot be started, and where skips are failures.
#[must_use]
pub fn run(address: SocketAddr, options: &[&str]) -> Option<Output> {
    let Some(program) = find("smtp-source") else {
        skip("no smtp-source here; run: apt-get install postfix");
        return None;
    };
    let mut command = Command::new(program);
    command.args(options).arg(format!("inet:{address}"));
    Some(command.output().unwrap_or_else(|e| panic!("cannot run smtp-source: {e}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_smtp_source_sends_smtp_sink_keeps() {
        let Some(sink) = crate::smtp_sink::spawn() else { return };
        let options = ["-m", "7", "-s", "2", "-f", "a@example.com", "-t", "b@example.org"];
        let Some(output) = super::run(sink.address(), &options) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(sink.received().len(), 7);
    }
}
