//! Postfix's `smtp-sink`: an SMTP server that is not ours, to be judged by.
//!
//! It keeps each message in a file with the envelope in `X-` fields before the message's own.

use crate::daemon::Daemon;
use crate::loopback;
use crate::program::{find, give_to, unprivileged};
use crate::skip::skip;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use tempfile::TempDir;

/// A running smtp-sink.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    daemon: Daemon,
    folder: TempDir,
}

/// One message as smtp-sink kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// MAIL FROM with its angle brackets and parameters.
    pub mail_from: String,
    /// Each RCPT TO with its angle brackets and parameters.
    pub recipients: Vec<String>,
    /// The message after dot removal, with LF line ends, without what smtp-sink put before it.
    pub message: String,
}

/// Starts one that keeps what it gets; `None` after saying `SKIPPED` when Postfix is not installed.
///
/// # Panics
/// When it does not start, and where skips are failures.
#[must_use]
pub fn spawn() -> Option<SmtpSink> {
    spawn_with(&["-d", "m."])
}

/// Starts one with these options of smtp-sink(1), e.g. `["-r", "RCPT"]`; nothing is kept without `-d m.`.
///
/// # Panics
/// As [`spawn`].
#[must_use]
pub fn spawn_with(options: &[&str]) -> Option<SmtpSink> {
    let Some(program) = find("smtp-sink") else {
        skip("no smtp-sink here; run: apt-get install postfix");
        return None;
    };
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let account = unprivileged(&["nobody"]);
    give_to(folder.path(), account);
    let address = loopback::address();
    let mut command = Command::new(program);
    command.args(options).arg(format!("inet:{address}")).arg("1024").current_dir(folder.path());
    let mut daemon = Daemon::spawn_as(&command, account);
    daemon.wait_until(|| TcpStream::connect(address).is_ok());
    Some(SmtpSink { address, daemon, folder })
}

impl SmtpSink {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Every message kept so far, in no order.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder is ours");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.expect("the folder is ours").path();
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            parse(&String::from_utf8_lossy(&bytes))
        };
        files.filter_map(read).collect()
    }
}

/// Reads a kept message: `X-` fields, one Received field with folded lines, then the message. A file that is still
/// being written has no end of its Received field yet and counts as nothing.
fn parse(text: &str) -> Option<Received> {
    let (mut mail_from, mut recipients) = (String::new(), Vec::new());
    let mut rest = text;
    while !rest.starts_with("Received:") {
        let (line, tail) = rest.split_once('\n')?;
        if let Some(value) = line.strip_prefix("X-Mail-Args: ") {
            value.clone_into(&mut mail_from);
        } else if let Some(value) = line.strip_prefix("X-Rcpt-Args: ") {
            recipients.push(value.to_owned());
        }
        rest = tail;
    }
    (_, rest) = rest.split_once('\n')?;
    while rest.starts_with(['\t', ' ']) {
        (_, rest) = rest.split_once('\n')?;
    }
    Some(Received { mail_from, recipients, message: rest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};

    #[test]
    fn a_message_that_was_sent_is_kept_with_its_envelope() {
        let Some(sink) = spawn() else { return };
        let mut stream = TcpStream::connect(sink.address()).unwrap();
        let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut expect = |code: &str| {
            let line = replies.next().unwrap().unwrap();
            assert!(line.starts_with(code), "{line}");
        };
        expect("220");
        for (command, code) in [
            ("HELO test", "250"),
            ("MAIL FROM:<a@example.com>", "250"),
            ("RCPT TO:<b@example.org>", "250"),
            ("DATA", "354"),
            ("Subject: hello\r\n\r\n..dot\r\n.", "250"),
            ("QUIT", "221"),
        ] {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            expect(code);
        }
        let [kept] = &sink.received()[..] else { panic!("{:?}", sink.received()) };
        assert_eq!(kept.mail_from, "<a@example.com>");
        assert_eq!(kept.recipients, ["<b@example.org>"]);
        assert!(kept.message.starts_with("Subject: hello\n\n.dot\n"), "{:?}", kept.message);
    }
}
