//! AUTH (RFC 4954): the best way to log in that both sides have.
//!
//! Called by the dial on an open, usually encrypted connection. mail-send encodes the responses; the replies are read
//! by our own reader, since its one cuts 5.7.509 to 5.7.255 and the reply to a login decides what is paused. What must
//! always hold: a password or token goes in clear text over TLS or loopback only; 535 ends the tries (each further
//! one may lock the account). PLAIN is RFC 4616, CRAM-MD5 RFC 2195, XOAUTH2 as Google describes it.

use std::time::Duration;

use mail_send::Credentials as Sasl;
use postroad_model::{Reply, Secret};

use super::fault::DialWhat;
use crate::connection::{
    capabilities::{Capabilities, Mechanism},
    link::{Link, LinkFault},
};

/// How to log in, with the token that is good now.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Not at all.
    None,
    /// PLAIN, LOGIN or CRAM-MD5.
    Password {
        /// The account.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// XOAUTH2.
    Bearer {
        /// The account.
        username: String,
        /// An access token.
        token: Secret,
    },
}

/// Who can listen on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// TLS, or loopback.
    Private,
    /// Everybody.
    Open,
}

/// "Username:" and "Password:": some relays ask in words of their own, so the order decides and not the words.
const LOGIN_PROMPTS: [&str; 2] = ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"];

/// More rounds than any mechanism has.
const ROUNDS_MAX: usize = 4;

/// The mechanisms to try, best first. Over TLS PLAIN goes before CRAM-MD5, which relays often offer and cannot check.
fn choices(credentials: &Credentials, offered: &Capabilities, wire: Wire) -> Vec<Mechanism> {
    let wanted: &[Mechanism] = match (credentials, wire) {
        (Credentials::None, _) => &[],
        (Credentials::Password { .. }, Wire::Private) => {
            &[Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]
        }
        (Credentials::Password { .. }, Wire::Open) => &[Mechanism::CramMd5],
        (Credentials::Bearer { .. }, Wire::Private) => &[Mechanism::Xoauth2],
        (Credentials::Bearer { .. }, Wire::Open) => &[],
    };
    wanted.iter().copied().filter(|mechanism| offered.auth.contains(mechanism)).collect()
}

pub(super) async fn login(
    link: &mut Link,
    offered: &Capabilities,
    credentials: &Credentials,
    wire: Wire,
    within: Duration,
) -> Result<(), DialWhat> {
    let sasl = match credentials {
        Credentials::None => return Ok(()),
        Credentials::Password { username, password } => {
            Sasl::Plain { username: username.as_str(), secret: password.expose() }
        }
        Credentials::Bearer { username, token } => {
            Sasl::XOauth2 { username: username.as_str(), secret: token.expose() }
        }
    };
    let mut refused = None;
    for mechanism in choices(credentials, offered, wire) {
        let reply = exchange(link, mechanism, &sasl, within).await?;
        match reply.code {
            235 => return Ok(()),
            // 504 and 534 speak of the mechanism, 501 and 535 of the account; 4yz and 421 of the relay.
            504 | 534 => refused = Some(reply),
            _ => return Err(DialWhat::Reply(reply)),
        }
    }
    Err(match refused {
        Some(reply) => DialWhat::Reply(reply),
        None => DialWhat::Unsupported(none_fits(offered, wire)),
    })
}

fn none_fits(offered: &Capabilities, wire: Wire) -> String {
    let names: Vec<_> = offered.auth.iter().map(|mechanism| mechanism.name()).collect();
    match (wire, names.is_empty()) {
        (_, true) => "the relay offers no AUTH that Postroad knows".into(),
        (Wire::Open, false) => format!(
            "the relay offers AUTH {} without TLS: passwords and tokens are not sent in clear text",
            names.join(" ")
        ),
        (Wire::Private, false) => {
            format!(
                "the relay offers AUTH {}, which does not fit the way to log in",
                names.join(" ")
            )
        }
    }
}

/// One mechanism, from AUTH to its last reply.
async fn exchange(
    link: &mut Link,
    mechanism: Mechanism,
    sasl: &Sasl<&str>,
    within: Duration,
) -> Result<Reply, DialWhat> {
    let mut line = format!("AUTH {}", mechanism.name());
    if matches!(mechanism, Mechanism::Plain | Mechanism::Xoauth2) {
        line.push(' ');
        line.push_str(&response(mechanism, sasl, "")?);
    }
    for round in 0..ROUNDS_MAX {
        line.push_str("\r\n");
        let (mut written, block) = (0, within);
        link.write(line.as_bytes(), &mut written, block).await.map_err(DialWhat::from)?;
        link.reply(within).await?;
        let reply = link.latest();
        if reply.code != 334 {
            return Ok(reply);
        }
        line = match (mechanism, LOGIN_PROMPTS.get(round)) {
            (Mechanism::Login, Some(prompt)) => response(mechanism, sasl, prompt)?,
            (Mechanism::CramMd5, _) if round == 0 => response(mechanism, sasl, &reply.text)?,
            // XOAUTH2 explains a refusal in a 334; the empty answer brings the real reply.
            (Mechanism::Xoauth2, _) => String::new(),
            (Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5, _) => "*".into(),
        };
    }
    Err(DialWhat::Malformed(format!("the relay asks on and on in AUTH {}", mechanism.name())))
}

fn response(mechanism: Mechanism, sasl: &Sasl<&str>, challenge: &str) -> Result<String, DialWhat> {
    let bit = match mechanism {
        Mechanism::Plain => smtp_proto::AUTH_PLAIN,
        Mechanism::Login => smtp_proto::AUTH_LOGIN,
        Mechanism::CramMd5 => smtp_proto::AUTH_CRAM_MD5,
        Mechanism::Xoauth2 => smtp_proto::AUTH_XOAUTH2,
    };
    sasl.encode(bit, challenge).map_err(|_| {
        DialWhat::Malformed(format!("the challenge of AUTH {} cannot be read", mechanism.name()))
    })
}

impl From<LinkFault> for DialWhat {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Closed => {
                Self::io(&std::io::Error::new(std::io::ErrorKind::UnexpectedEof, fault.to_string()))
            }
            LinkFault::Timeout(waited) => Self::Timeout(waited),
            LinkFault::Io(error) => Self::io(&error),
            LinkFault::Malformed(fault) => Self::Malformed(fault.to_string()),
        }
    }
}
