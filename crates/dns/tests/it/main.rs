//! The resolver against a name server of a few lines.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too, what fails is the test")]

use postroad_dns::{Dns, Error, Servers};
use postroad_model::{Domain, MailboxProvider};
use postroad_testkit::loopback;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// What the server says of every name.
#[derive(Clone)]
enum Says {
    Hosts(Vec<(u16, &'static str)>),
    /// RFC 1035 section 4.1.1: a response code without answers.
    Code(u8),
    Nothing,
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
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
    let end = 12 + question[12..].iter().position(|o| *o == 0).unwrap() + 5;
    let mut octets = question[..2].to_vec();
    octets.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(hosts.len()).unwrap(), 0, 0, 0, 0]);
    octets.extend_from_slice(&question[12..end]);
    for (preference, host) in hosts {
        let host = labels(host);
        octets.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 0, 60]);
        octets.extend(u16::try_from(host.len() + 2).unwrap().to_be_bytes());
        octets.extend(preference.to_be_bytes());
        octets.extend(host);
    }
    Some(octets)
}

async fn server(says: Says) -> SocketAddr {
    let at = loopback::address();
    let socket = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 1_500];
        while let Ok((n, from)) = socket.recv_from(&mut octets).await {
            if let Some(answer) = answer(&octets[..n], &says) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    at
}

async fn ask(says: Says) -> Result<MailboxProvider, Error> {
    let dns = Dns::new(&Servers::These(vec![server(says).await])).unwrap();
    dns.provider(&Domain::parse("company.example").unwrap()).await
}

#[tokio::test]
async fn a_companys_mail_is_hosted_by_whom_its_mx_names() {
    let google = vec![(10, "alt1.aspmx.l.google.com"), (1, "ASPMX.L.GOOGLE.COM")];
    assert_eq!(ask(Says::Hosts(google)).await.unwrap(), MailboxProvider::Google);
    let microsoft = vec![(0, "company-example.mail.protection.outlook.com")];
    assert_eq!(ask(Says::Hosts(microsoft)).await.unwrap(), MailboxProvider::Microsoft);
    // A name that only ends like one is nobody's, and the best host counts.
    let mixed = vec![(5, "mx.notgoogle.com"), (10, "mx1.mimecast.com"), (20, "mta.yahoodns.net")];
    assert_eq!(ask(Says::Hosts(mixed)).await.unwrap(), MailboxProvider::Mimecast);
}

#[tokio::test]
async fn a_domain_without_mail_hosts_is_other() {
    for says in [Says::Code(3), Says::Code(0), Says::Hosts(vec![(0, "")])] {
        assert_eq!(ask(says).await.unwrap(), MailboxProvider::Other);
    }
}

#[tokio::test]
async fn what_is_not_sure_is_no_answer() {
    let said = ask(Says::Code(2)).await.unwrap_err().to_string();
    assert!(said.contains("cannot look up the mail hosts of company.example"), "{said}");
    assert!(ask(Says::Code(5)).await.is_err(), "a server that refuses says nothing of the domain");
    assert!(ask(Says::Nothing).await.is_err(), "silence has an end");
}
