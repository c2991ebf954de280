//! Mailbox providers: who hosts a recipient.
//!
//! Found by the MX host's suffix on a label boundary where the MX is known, otherwise by a table of well-known
//! domains, otherwise `other`. The list is closed because it labels metrics and keys brakes and queues.

use crate::Domain;
use serde::{Deserialize, Serialize};

macro_rules! providers {
    ($($variant:ident = $code:literal, $name:literal, mx [$($mx:literal),*], domains [$($domain:literal),*];)+) => {
        /// Who hosts the recipient's mailbox.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum MailboxProvider {
            $(#[doc = $name] $variant = $code,)+
        }

        impl MailboxProvider {
            /// All providers, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in metrics, reports and filters.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The code in the database; it never changes its meaning.
            #[must_use]
            pub fn code(self) -> i64 {
                self as i64
            }

            /// Back from the database's code.
            #[must_use]
            pub fn from_code(code: i64) -> Option<Self> {
                Self::ALL.iter().copied().find(|p| p.code() == code)
            }

            fn mx_suffixes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($mx),*]),+ }
            }

            fn domains(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($domain),*]),+ }
            }
        }
    };
}

providers! {
    Other = 0, "other", mx [], domains [];
    Google = 1, "google", mx ["google.com", "googlemail.com"], domains ["gmail.com", "googlemail.com"];
    Microsoft = 2, "microsoft", mx ["olc.protection.outlook.com", "mail.protection.outlook.com", "mx.microsoft"],
        domains ["outlook.com", "hotmail.com", "live.com", "msn.com", "outlook.com.vn", "hotmail.co.uk", "hotmail.fr",
            "hotmail.de", "hotmail.it", "hotmail.es", "live.co.uk", "live.fr", "live.nl", "outlook.fr", "outlook.de", "outlook.jp"];
    Yahoo = 3, "yahoo", mx ["yahoodns.net", "mx.aol.com"],
        domains ["yahoo.com", "yahoo.com.vn", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in",
            "yahoo.co.in", "yahoo.com.br", "yahoo.com.au", "ymail.com", "rocketmail.com", "aol.com", "aim.com"];
    Apple = 4, "apple", mx ["icloud.com"], domains ["icloud.com", "me.com", "mac.com"];
    YahooJapan = 5, "yahoojapan", mx ["yahoo.co.jp"], domains ["yahoo.co.jp", "ymail.ne.jp"];
    Comcast = 6, "comcast", mx ["comcast.net"], domains ["comcast.net"];
    Gmx = 7, "gmx", mx ["gmx.net", "web.de"], domains ["gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de"];
    Telekom = 8, "telekom", mx ["t-online.de"], domains ["t-online.de", "magenta.de"];
    Orange = 9, "orange", mx ["orange.fr"], domains ["orange.fr", "wanadoo.fr"];
    LaPoste = 10, "laposte", mx ["laposte.net"], domains ["laposte.net"];
    Tencent = 11, "tencent", mx ["qq.com"], domains ["qq.com", "foxmail.com"];
    NetEase = 12, "netease", mx ["netease.com"], domains ["163.com", "126.com", "yeah.net"];
    Naver = 13, "naver", mx ["naver.com"], domains ["naver.com"];
    Yandex = 14, "yandex", mx ["yandex.net", "yandex.ru"], domains ["yandex.ru", "yandex.com", "ya.ru"];
    MailRu = 15, "mailru", mx ["mail.ru"], domains ["mail.ru", "inbox.ru", "list.ru", "bk.ru"];
    Zoho = 16, "zoho", mx ["zoho.com", "zoho.eu"], domains ["zoho.com", "zohomail.com"];
    Proton = 17, "proton", mx ["protonmail.ch"], domains ["proton.me", "protonmail.com", "pm.me"];
    Fastmail = 18, "fastmail", mx ["messagingengine.com"], domains ["fastmail.com", "fastmail.fm"];
    Mimecast = 19, "mimecast", mx ["mimecast.com", "mimecast.co.za", "mimecast-offshore.com"], domains [];
    Proofpoint = 20, "proofpoint", mx ["pphosted.com"], domains [];
    Barracuda = 21, "barracuda", mx ["barracudanetworks.com"], domains [];
    GoDaddy = 22, "godaddy", mx ["secureserver.net"], domains [];
    Kpn = 23, "kpn", mx ["kpnmail.nl"], domains ["kpnmail.nl", "planet.nl", "hetnet.nl"];
}

impl MailboxProvider {
    /// The provider of an MX host, by the longest suffix on a label boundary.
    #[must_use]
    pub fn of_mx(host: &Domain) -> Self {
        let mut best = (0, Self::Other);
        for provider in Self::ALL {
            for suffix in provider.mx_suffixes() {
                if suffix.len() > best.0 && ends_on_label(host.as_str(), suffix) {
                    best = (suffix.len(), *provider);
                }
            }
        }
        best.1
    }

    /// The provider of a recipient's domain by the table of well-known domains; `Other` where it is not listed.
    #[must_use]
    pub fn of_domain(domain: &Domain) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|p| p.domains().contains(&domain.as_str()))
            .unwrap_or(Self::Other)
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.as_str() == name)
    }
}

fn ends_on_label(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

impl std::fmt::Display for MailboxProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mx_is_matched_by_its_longest_suffix_on_a_label_boundary() {
        let check = |host: &str, expected| {
            assert_eq!(MailboxProvider::of_mx(&Domain::parse(host).unwrap()), expected, "{host}");
        };
        check("aspmx.l.google.com", MailboxProvider::Google);
        check("hotmail-com.olc.protection.outlook.com", MailboxProvider::Microsoft);
        check("notgoogle.com", MailboxProvider::Other);
        check("mx.yahoo.co.jp", MailboxProvider::YahooJapan);
        check("mta5.am0.yahoodns.net", MailboxProvider::Yahoo);
    }

    #[test]
    fn codes_are_unique_and_lead_back() {
        for p in MailboxProvider::ALL {
            assert_eq!(MailboxProvider::from_code(p.code()), Some(*p));
            assert_eq!(MailboxProvider::from_name(p.as_str()), Some(*p));
        }
    }
}
