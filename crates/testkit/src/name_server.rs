//! A DNS server of a few lines (RFC 1035) that says the same of every name, over UDP on loopback.
//!
//! What must hold: it answers nothing but MX questions of one name, and reads nothing from outside.

use crate::loopback;
use std::net::{SocketAddr, UdpSocket};

/// What the server says of every name.
#[derive(Clone, Debug)]
pub enum Says {
    /// MX records: preference and host.
    Hosts(Vec<(u16, &'static str)>),
    /// RFC 1035 section 4.1.1: a response code without answers.
    Code(u8),
    /// No answer at all.
    Nothing,
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a question as RFC 1035 has it"));
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// The answer to a question (RFC 1035 section 4.1).
fn answer(question: &[u8], says: &Says) -> Option<Vec<u8>> {
    let (code, hosts) = match says {
        Says::Hosts(hosts) => (0, hosts.as_slice()),
        Says::Code(code) => (*code, &[][..]),
        Says::Nothing => return None,
    };
    // One name, then type and class.
    let end = 12
        + question[12..].iter().position(|o| *o == 0).expect("a question as RFC 1035 has it")
        + 5;
    let mut octets = question[..2].to_vec();
    octets.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(hosts.len()).expect("a question as RFC 1035 has it"),
        0,
        0,
        0,
        0,
    ]);
    octets.extend_from_slice(&question[12..end]);
    for (preference, host) in hosts {
        let host = labels(host);
        octets.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 0, 60]);
        octets.extend(
            u16::try_from(host.len() + 2).expect("a question as RFC 1035 has it").to_be_bytes(),
        );
        octets.extend(preference.to_be_bytes());
        octets.extend(host);
    }
    Some(octets)
}

/// Starts a server; gives where it is. It ends with the process.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn serve(says: Says) -> SocketAddr {
    let at = loopback::address();
    let socket = UdpSocket::bind(at).expect("a free address of ours");
    std::thread::spawn(move || {
        let mut octets = [0; 1_500];
        while let Ok((n, from)) = socket.recv_from(&mut octets) {
            if let Some(answer) = answer(&octets[..n], &says) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    at
}
