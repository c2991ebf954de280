//! A DNS server of a few lines (RFC 1035) over UDP on loopback, for tests of look-ups.
//!
//! What must hold: it answers questions of one name for MX and TXT, and reads nothing from outside.

use crate::loopback;
use std::net::{SocketAddr, UdpSocket};

const MX: [u8; 2] = [0, 15];
const TXT: [u8; 2] = [0, 16];
/// A character-string of a TXT record holds at most this many octets (RFC 1035 section 3.3).
const STRING_MAX: usize = 255;
const SHORT: &str = "names and records of a test are short";

/// What the server says.
#[derive(Clone, Debug)]
pub enum Says {
    /// MX records of every name: preference and host.
    Hosts(Vec<(u16, &'static str)>),
    /// Records by name, without a dot at the end; nothing of other names.
    Zone(Vec<(String, Record)>),
    /// RFC 1035 section 4.1.1: a response code without answers.
    Code(u8),
    /// No answer at all.
    Nothing,
}

/// A record of a zone.
#[derive(Clone, Debug)]
pub enum Record {
    /// A mail host.
    Mx(u16, String),
    /// A text.
    Txt(String),
}

impl Record {
    fn kind(&self) -> [u8; 2] {
        match self {
            Self::Mx(..) => MX,
            Self::Txt(_) => TXT,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::Mx(preference, host) => [&preference.to_be_bytes()[..], &labels(host)].concat(),
            Self::Txt(text) => {
                let strings = text.as_bytes().chunks(STRING_MAX);
                strings.flat_map(|s| [&[octet(s.len())], s].concat()).collect()
            }
        }
    }
}

fn octet(n: usize) -> u8 {
    u8::try_from(n).expect(SHORT)
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        octets.push(octet(label.len()));
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// The answer to a question (RFC 1035 section 4.1).
fn answer(question: &[u8], says: &Says) -> Option<Vec<u8>> {
    // One name, then type and class.
    let name_end = 12 + question.get(12..)?.iter().position(|o| *o == 0)? + 1;
    let (name, kind) = (&question[12..name_end], question.get(name_end..name_end + 2)?);
    let (code, records): (u8, Vec<Record>) = match says {
        Says::Hosts(hosts) => {
            (0, hosts.iter().map(|(n, host)| Record::Mx(*n, (*host).into())).collect())
        }
        Says::Zone(zone) => {
            let of_name = zone.iter().filter(|(owner, _)| labels(owner).eq_ignore_ascii_case(name));
            (0, of_name.map(|(_, record)| record.clone()).collect())
        }
        Says::Code(code) => (*code, Vec::new()),
        Says::Nothing => return None,
    };
    let records: Vec<&Record> = records.iter().filter(|r| r.kind() == kind).collect();
    let mut octets = question[..2].to_vec();
    octets.extend([0x81, 0x80 | code, 0, 1, 0, octet(records.len()), 0, 0, 0, 0]);
    octets.extend_from_slice(&question[12..name_end + 4]);
    for record in records {
        let data = record.data();
        octets.extend([0xC0, 12]);
        octets.extend(record.kind());
        octets.extend([0, 1, 0, 0, 0, 60]);
        octets.extend(u16::try_from(data.len()).expect(SHORT).to_be_bytes());
        octets.extend(data);
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
