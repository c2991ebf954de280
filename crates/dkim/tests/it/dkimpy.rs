//! Verification by dkimpy, a verifier of other people: Debian packages python3-dkim and python3-nacl.

use crate::messages::{AT, message, ring};
use postroad_dkim::{Coverage, KeyAlgorithm};
use std::io::Write;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dkimpy_verify.py");

/// The first interpreter that can import dkimpy; the distribution's own is asked before one on the PATH.
fn python() -> Option<&'static str> {
    ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let mut probe = Command::new(python);
        probe.args(["-c", "import dkim, nacl"]).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|s| s.success())
    })
}

#[test]
fn dkimpy_verifies_both_signatures_and_sees_a_change() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: no Python with dkimpy; run: apt-get install python3-dkim python3-nacl");
        return;
    };
    let keys = [("r1", KeyAlgorithm::Rsa), ("e1", KeyAlgorithm::Ed25519)];
    let (ring, records) = ring("news.example.com", &keys);
    let check = |body: &str, change: Option<(&str, &str)>, expected: &str| {
        let signed = ring.sign(message("anna@news.example.com", body), Coverage::Full, AT).unwrap();
        let wire = [&signed.signature_fields[..], &signed.message.bytes].concat();
        let mut wire = String::from_utf8(wire).unwrap();
        if let Some((from, to)) = change {
            wire = wire.replacen(from, to, 1);
        }
        let mut command = Command::new(python);
        command.arg(SCRIPT).args(records.iter().flat_map(|r| [&r.name, &r.value]));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(wire.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert_eq!(said, expected, "{body:?}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    check("Hello  =C3=AA \t\r\n\r\nbye\r\n\r\n", None, "pass pass");
    check("a\r\n \r\n", None, "pass pass");
    check("", None, "pass pass");
    check("Hello\r\n", Some(("Hello", "Hallo")), "fail fail");
    check("Hello\r\n", Some(("One-Click", "Two-Click")), "fail fail");
}
