//! Opens: who fetched the image of a message, as far as a request can tell.
//!
//! `web` asks here for each fetch; `store` counts the answer once for each row. An open is a guess in both directions: mail
//! programs that load no images are never seen, and what fetches images is often no person. So opens compare mailbox
//! providers of one campaign with each other and are no measure of readers.
//!
//! What must always hold: the kinds are ordered by how surely a person stood behind the fetch, and a row counts as the
//! surest of those that were seen. Deliberately absent: addresses of networks and anything that is kept of the request.

use crate::delivery::DeliveryState;
use crate::feedback::Evidence;
use std::fmt;

/// A person is not that fast: a fetch so soon after a relay took the message is a filter's that looks through it.
const TOO_SOON_MS: i64 = 10_000;

/// The whole name that Apple's Mail Privacy Protection gives; it fetches whether the message is read or not.
const APPLE: &str = "Mozilla/5.0";
/// How Gmail's fetch ahead of the reader ends; when the message is shown it calls itself `GoogleImageProxy`.
const GMAIL_AHEAD: &str = "Edge/12.246 Mozilla/5.0";
/// `GoogleImageProxy`, `YahooMailProxy` and those that are called alike: they fetch when the message is shown.
const PROXIES: [&str; 2] = ["imageproxy", "mailproxy"];
/// Programs that say that nobody looks. (A bare `bot` is part of the names of telephones.)
const AUTOMATA: [&str; 10] = [
    "bot/", "bot;", "bot)", "crawler", "spider", "headless", "curl/", "wget/", "python", "go-http",
];

/// What fetched the image of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpenKind {
    /// A program that loads images by itself: a filter, or a mail service ahead of its reader. It says nothing of a reader.
    Prefetch,
    /// A mailbox provider's image proxy, when the message was shown: a reader, but not which program, place or how often.
    Proxy,
    /// A mail program or browser itself.
    Human,
}

impl OpenKind {
    /// All of them, the least sure first.
    pub const ALL: [Self; 3] = [Self::Prefetch, Self::Proxy, Self::Human];

    /// The name in the database, metrics and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefetch => "prefetch",
            Self::Proxy => "proxy",
            Self::Human => "human",
        }
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What a fetch was: by the name that the program gives (User-Agent), and how many milliseconds after a relay took the
    /// message it came, where that is known.
    #[must_use]
    pub fn of(agent: Option<&str>, after_ms: Option<i64>) -> Self {
        let agent = agent.map(str::trim).unwrap_or_default();
        let lower = agent.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if agent.is_empty() || agent == APPLE || agent.ends_with(GMAIL_AHEAD) || says(&AUTOMATA) {
            Self::Prefetch
        } else if says(&PROXIES) {
            Self::Proxy
        } else if after_ms.is_some_and(|ms| ms < TOO_SOON_MS) {
            Self::Prefetch
        } else {
            Self::Human
        }
    }

    /// What it proves about a row: a filter may stand before the relay's answer, a reader does not.
    #[must_use]
    pub fn evidence(self) -> Evidence {
        match self {
            Self::Prefetch => Evidence::Nothing,
            Self::Proxy | Self::Human => Evidence::Arrived,
        }
    }

    /// Whether it counts for a row in a state: only messages that a relay took have readers, and where that was not known the
    /// fetch must prove it.
    #[must_use]
    pub fn counts_in(self, state: DeliveryState) -> bool {
        state.after_evidence(self.evidence()).unwrap_or(state) == DeliveryState::Accepted
    }
}

impl fmt::Display for OpenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTLOOK: &str = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)";
    const THUNDERBIRD: &str =
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0";

    #[test]
    fn a_fetch_is_told_by_the_programs_name_and_by_its_haste() {
        let check = |agent: &str, after_ms, kind| {
            assert_eq!(OpenKind::of(Some(agent), after_ms), kind, "{agent} {after_ms:?}");
        };
        let google = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
        check(google, Some(60_000), OpenKind::Proxy);
        check(google, Some(100), OpenKind::Proxy);
        check("YahooMailProxy; https://help.yahoo.com/kb/", None, OpenKind::Proxy);
        check("Mozilla/5.0", Some(86_400_000), OpenKind::Prefetch);
        let ahead = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0";
        check(ahead, Some(60_000), OpenKind::Prefetch);
        for agent in
            ["", "  ", "curl/8.5.0", "Mozilla/5.0 (compatible; bingbot/2.0)", "python-requests/2"]
        {
            check(agent, Some(60_000), OpenKind::Prefetch);
        }
        for agent in
            [OUTLOOK, THUNDERBIRD, "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36"]
        {
            check(agent, Some(60_000), OpenKind::Human);
            check(agent, None, OpenKind::Human);
            check(agent, Some(9_999), OpenKind::Prefetch);
        }
        assert_eq!(OpenKind::of(None, None), OpenKind::Prefetch);
    }

    #[test]
    fn only_what_a_relay_took_is_opened_and_a_filter_proves_nothing() {
        use DeliveryState as S;
        for kind in OpenKind::ALL {
            assert!(kind.counts_in(S::Accepted));
            for state in [S::Scheduled, S::Leased, S::Sending, S::Rejected, S::Bounced] {
                assert!(!kind.counts_in(state), "{kind} {state:?}");
            }
            assert_eq!(OpenKind::from_name(kind.as_str()), Some(kind));
        }
        assert!(!OpenKind::Prefetch.counts_in(S::Unknown));
        assert!(OpenKind::Proxy.counts_in(S::Unknown));
        assert!(OpenKind::Human.counts_in(S::Unknown));
    }
}
