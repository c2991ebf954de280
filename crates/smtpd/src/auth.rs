//! Logins: PLAIN, LOGIN, CRAM-MD5 and XOAUTH2 against a list of accounts.
//!
//! Driven by the session line by line; pure, the challenge is given. RFC 4954, RFC 4616, RFC 2195, and
//! Google's description of XOAUTH2 (a refusal is a 334 with JSON first, then an empty answer, then 535).
//! It stores no passwords safely: accounts are those of a test server.

use std::{fmt, sync::Arc};

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

/// An account that may log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The user.
    pub user: String,
    /// For PLAIN, LOGIN and CRAM-MD5.
    #[serde(default)]
    pub password: Option<String>,
    /// For XOAUTH2.
    #[serde(default)]
    pub token: Option<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The undocumented one that everybody has.
    Login,
    /// RFC 2195.
    CramMd5,
    /// Google's and Microsoft's.
    Xoauth2,
}

impl Mechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// Which of ours is meant by smtp-proto's bit.
    pub(crate) fn from_bit(bit: u64) -> Option<Self> {
        [
            (smtp_proto::AUTH_PLAIN, Self::Plain),
            (smtp_proto::AUTH_LOGIN, Self::Login),
            (smtp_proto::AUTH_CRAM_MD5, Self::CramMd5),
            (smtp_proto::AUTH_XOAUTH2, Self::Xoauth2),
        ]
        .into_iter()
        .find(|(known, _)| *known == bit)
        .map(|(_, mechanism)| mechanism)
    }
}

/// Who may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Logins {
    /// AUTH is not offered.
    #[default]
    Off,
    /// Any user with any password or token; MAIL without a login is taken too.
    Anyone(Vec<Mechanism>),
    /// These; MAIL without a login is refused with 530.
    Required(Vec<Mechanism>, Vec<Account>),
}

impl Logins {
    pub(crate) fn mechanisms(&self) -> &[Mechanism] {
        match self {
            Self::Off => &[],
            Self::Anyone(mechanisms) | Self::Required(mechanisms, _) => mechanisms,
        }
    }

    pub(crate) fn are_required(&self) -> bool {
        match self {
            Self::Off | Self::Anyone(_) => false,
            Self::Required(..) => true,
        }
    }

    /// The account, if the proof fits it.
    fn verify(&self, user: &str, proof: impl Fn(&Account) -> bool) -> Option<Arc<str>> {
        match self {
            Self::Off => None,
            Self::Anyone(_) => (!user.is_empty()).then(|| user.into()),
            Self::Required(_, accounts) => {
                accounts.iter().find(|a| a.user == user && proof(a)).map(|a| a.user.as_str().into())
            }
        }
    }
}

/// A login between two lines of the client.
#[derive(Debug)]
pub(crate) enum Exchange {
    Plain,
    LoginUser,
    LoginPassword { user: String },
    Cram { challenge: String },
    Xoauth2,
    Xoauth2Refused,
}

/// Where a line of the client has brought a login.
#[derive(Debug)]
pub(crate) enum Progress {
    /// 334 with this text, and wait for the next line.
    Challenge(Exchange, String),
    /// It has ended; `None` is a refusal.
    Done(Option<Arc<str>>),
    /// The client gave up with `*`.
    Cancelled,
    /// The line is not base64, or not what the mechanism wants.
    Malformed,
}

const XOAUTH2_REFUSAL: &str =
    r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

impl Exchange {
    /// The AUTH command itself; `initial` is its initial response, empty if there was none.
    pub(crate) fn begin(
        mechanism: Mechanism,
        initial: &str,
        challenge: String,
        logins: &Logins,
    ) -> Progress {
        let (exchange, prompt) = match mechanism {
            Mechanism::Plain => (Self::Plain, String::new()),
            Mechanism::Login => (Self::LoginUser, BASE64.encode(b"Username:")),
            Mechanism::Xoauth2 => (Self::Xoauth2, String::new()),
            Mechanism::CramMd5 => {
                let prompt = BASE64.encode(challenge.as_bytes());
                (Self::Cram { challenge }, prompt)
            }
        };
        if initial.is_empty() {
            return Progress::Challenge(exchange, prompt);
        }
        // RFC 4954 section 4: `=` is an initial response of no bytes.
        exchange.go_on(initial.strip_prefix('=').unwrap_or(initial), logins)
    }

    /// The next line of the client.
    pub(crate) fn go_on(self, line: &str, logins: &Logins) -> Progress {
        if line == "*" {
            return Progress::Cancelled;
        }
        let Ok(bytes) = BASE64.decode(line.as_bytes()) else { return Progress::Malformed };
        let Ok(text) = String::from_utf8(bytes) else { return Progress::Malformed };
        match self {
            Self::Plain => {
                let mut parts = text.split('\0').skip(1);
                let (Some(user), Some(password)) = (parts.next(), parts.next()) else {
                    return Progress::Malformed;
                };
                Progress::Done(logins.verify(user, |a| a.password.as_deref() == Some(password)))
            }
            Self::LoginUser => {
                let prompt = BASE64.encode(b"Password:");
                Progress::Challenge(Self::LoginPassword { user: text }, prompt)
            }
            Self::LoginPassword { user } => {
                Progress::Done(logins.verify(&user, |a| a.password.as_deref() == Some(&text)))
            }
            Self::Cram { challenge } => {
                let Some((user, digest)) = text.rsplit_once(' ') else {
                    return Progress::Malformed;
                };
                let proof = |account: &Account| {
                    account.password.as_ref().is_some_and(|password| {
                        hmac_md5(password.as_bytes(), challenge.as_bytes()) == digest
                    })
                };
                Progress::Done(logins.verify(user, proof))
            }
            Self::Xoauth2 => xoauth2(&text, logins),
            Self::Xoauth2Refused => Progress::Done(None),
        }
    }
}

fn xoauth2(text: &str, logins: &Logins) -> Progress {
    let value = |key: &str| text.split('\x01').find_map(|part| part.strip_prefix(key));
    let (Some(user), Some(token)) = (value("user="), value("auth=Bearer ")) else {
        return Progress::Malformed;
    };
    match logins.verify(user, |account| account.token.as_deref() == Some(token)) {
        Some(account) => Progress::Done(Some(account)),
        None => {
            Progress::Challenge(Exchange::Xoauth2Refused, BASE64.encode(XOAUTH2_REFUSAL.as_bytes()))
        }
    }
}

/// RFC 2104 over MD5, in hex: what CRAM-MD5 asks for, and nothing else in this project.
fn hmac_md5(key: &[u8], text: &[u8]) -> String {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..16].copy_from_slice(&md5::compute(key).0);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = md5::compute([&pad(0x36), text].concat());
    HEXLOWER.encode(&md5::compute([&pad(0x5c)[..], &inner.0].concat()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> Logins {
        let account = Account {
            user: "tim".to_owned(),
            password: Some("tanstaaftanstaaf".to_owned()),
            token: Some("ya29".to_owned()),
        };
        Logins::Required(vec![Mechanism::Plain, Mechanism::CramMd5], vec![account])
    }

    fn check(mechanism: Mechanism, initial: &str, lines: &[&str], expected: Option<&str>) {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>".to_owned();
        let encode = |line: &str| BASE64.encode(line.as_bytes());
        let mut progress = Exchange::begin(mechanism, &encode(initial), challenge, &logins());
        for line in lines {
            let Progress::Challenge(exchange, _) = progress else { panic!("{progress:?}") };
            progress = exchange.go_on(&encode(line), &logins());
        }
        let Progress::Done(account) = progress else { panic!("{progress:?}") };
        assert_eq!(account.as_deref(), expected);
    }

    #[test]
    fn each_mechanism_takes_the_right_proof_and_no_other() {
        check(Mechanism::Plain, "\0tim\0tanstaaftanstaaf", &[], Some("tim"));
        check(Mechanism::Plain, "", &["\0tim\0wrong"], None);
        check(Mechanism::Login, "", &["tim", "tanstaaftanstaaf"], Some("tim"));
        check(Mechanism::Login, "tim", &["no"], None);
        check(Mechanism::Xoauth2, "user=tim\x01auth=Bearer ya29\x01\x01", &[], Some("tim"));
        check(Mechanism::Xoauth2, "user=tim\x01auth=Bearer old\x01\x01", &[""], None);
    }

    #[test]
    fn cram_md5_gives_the_digest_of_rfc_2195() {
        let answer = "tim b913a602c7eda7a495b4e6e7334d3890";
        check(Mechanism::CramMd5, "", &[answer], Some("tim"));
        check(Mechanism::CramMd5, "", &["tim 00"], None);
        assert_eq!(
            hmac_md5(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
            "RFC 2202, case 6"
        );
    }

    #[test]
    fn what_is_no_login_is_malformed() {
        let check = |mechanism, line: &str| {
            let begun = Exchange::begin(mechanism, "", "c".to_owned(), &logins());
            let Progress::Challenge(exchange, _) = begun else { panic!("{begun:?}") };
            let progress = exchange.go_on(line, &logins());
            assert!(matches!(progress, Progress::Malformed), "{progress:?}");
        };
        check(Mechanism::Plain, "not base64!");
        check(Mechanism::Plain, &BASE64.encode(b"no zeros"));
        check(Mechanism::CramMd5, &BASE64.encode(b"onlyuser"));
        check(Mechanism::Xoauth2, &BASE64.encode(b"user=tim"));
        check(Mechanism::Login, &BASE64.encode(b"\xff\xfe"));
    }

    #[test]
    fn an_account_never_shows_its_password() {
        assert!(!format!("{:?}", logins()).contains("tanstaaf"));
    }
}
