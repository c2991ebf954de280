//! What is known of mailbox operators: hosts, ports, and what to do when a login is refused.
//!
//! Read by `mailbox` and `seed`; the host and port that are given win. Data, no code. TLS is from the first byte everywhere
//! (RFC 8314): ports 993 and 995.

use postroad_model::MailboxProvider;

/// One service of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Host name.
    pub host: &'static str,
    /// Port with TLS from the first byte.
    pub port: u16,
}

/// What is known of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailProfile {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// IMAP, where it has it and its host is the same for everybody.
    pub imap: Option<Server>,
    /// POP3, likewise.
    pub pop3: Option<Server>,
    /// Passwords are taken; otherwise OAuth alone is.
    pub passwords: Passwords,
    /// What to do when the login is refused.
    pub login_advice: &'static str,
}

/// Whether an operator still takes passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passwords {
    /// An ordinary or an app password.
    Taken,
    /// OAuth alone.
    Refused,
}

const fn at(host: &'static str, port: u16) -> Option<Server> {
    Some(Server { host, port })
}

const APP: &str =
    "make an app password in the account's security settings and use that, not the ordinary one";

/// All profiles.
pub(crate) const MAIL_PROFILES: &[MailProfile] = &[
    MailProfile {
        id: "gmail",
        label: "Gmail and Google Workspace",
        imap: at("imap.gmail.com", 993),
        pop3: at("pop.gmail.com", 995),
        passwords: Passwords::Taken,
        login_advice: "use an app password (myaccount.google.com/apppasswords; needs 2-step verification) or oauth, \
                       and see that IMAP or POP is allowed in the mail settings",
    },
    MailProfile {
        id: "outlook",
        label: "Outlook.com and Microsoft 365",
        imap: at("outlook.office365.com", 993),
        pop3: at("outlook.office365.com", 995),
        passwords: Passwords::Refused,
        login_advice: "Microsoft takes OAuth alone: use oauth or token_command, and see that IMAP or POP is allowed \
                       for the mailbox",
    },
    MailProfile {
        id: "yahoo",
        label: "Yahoo Mail",
        imap: at("imap.mail.yahoo.com", 993),
        pop3: at("pop.mail.yahoo.com", 995),
        passwords: Passwords::Taken,
        login_advice: APP,
    },
    MailProfile {
        id: "icloud",
        label: "iCloud Mail",
        imap: at("imap.mail.me.com", 993),
        pop3: None,
        passwords: Passwords::Taken,
        login_advice: "make an app-specific password at account.apple.com and use that",
    },
    MailProfile {
        id: "zoho",
        label: "Zoho Mail",
        imap: at("imap.zoho.com", 993),
        pop3: at("pop.zoho.com", 995),
        passwords: Passwords::Taken,
        login_advice: "allow IMAP or POP in Zoho's settings, use an app password, and the host of your region \
                       (imap.zoho.eu, imappro.zoho.com ...)",
    },
    MailProfile {
        id: "yandex",
        label: "Yandex Mail",
        imap: at("imap.yandex.com", 993),
        pop3: at("pop.yandex.com", 995),
        passwords: Passwords::Taken,
        login_advice: "allow mail clients in Yandex's settings and make an app password for mail",
    },
    MailProfile {
        id: "gmx",
        label: "GMX",
        imap: at("imap.gmx.com", 993),
        pop3: at("pop.gmx.com", 995),
        passwords: Passwords::Taken,
        login_advice: "allow POP3 and IMAP in GMX's settings (mailboxes of gmx.net: host imap.gmx.net or pop.gmx.net)",
    },
    MailProfile {
        id: "generic",
        label: "any server",
        imap: None,
        pop3: None,
        passwords: Passwords::Taken,
        login_advice: "check user name and password; some operators want an app password",
    },
];

/// The profile of a mailbox of a provider, where there is one.
pub(crate) fn of_provider(provider: MailboxProvider) -> &'static str {
    use MailboxProvider as P;
    match provider {
        P::Google => "gmail",
        P::Microsoft => "outlook",
        P::Yahoo => "yahoo",
        P::Apple => "icloud",
        P::Gmx => "gmx",
        P::Yandex => "yandex",
        P::Zoho => "zoho",
        P::Other
        | P::YahooJapan
        | P::Comcast
        | P::Telekom
        | P::Orange
        | P::LaPoste
        | P::Tencent
        | P::NetEase
        | P::Naver
        | P::MailRu
        | P::Proton
        | P::Fastmail
        | P::Mimecast
        | P::Proofpoint
        | P::Barracuda
        | P::GoDaddy
        | P::Kpn => "generic",
    }
}

/// A profile by its id.
pub(crate) fn mail_profile(id: &str) -> Option<&'static MailProfile> {
    MAIL_PROFILES.iter().find(|p| p.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_is_found_by_an_id_of_its_own() {
        for known in MAIL_PROFILES {
            assert_eq!(mail_profile(known.id), Some(known));
        }
        for provider in MailboxProvider::ALL {
            assert!(mail_profile(of_provider(*provider)).is_some(), "{provider}");
        }
        assert_eq!(mail_profile("gmial"), None);
        assert_eq!(mail_profile("gmail").unwrap().pop3, at("pop.gmail.com", 995));
    }
}
