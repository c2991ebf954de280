//! Words about a dead address or domain that are not about the recipient's.
//!
//! `understand` asks it for what would be hard: servers that check the sender (RFC 5321 section 4.2.2 has no code for
//! that) say "user unknown" and "no such domain" of us. What always holds: it only ever takes a hard verdict back, and
//! none whose words name the recipient. It does not know our addresses but by the report's own recipients.

use crate::address;
use crate::understand::{self, Evidence};
use crate::words::Meaning;
use postroad_model::verdict::{BounceKind, Reason};
use std::net::Ipv4Addr;

/// Why a hard verdict is a block of us instead: the words name our address or domain, or a host by its bare number.
pub(crate) fn about_us(
    meaning: &Meaning,
    evidence: &Evidence<'_>,
) -> Option<(Reason, &'static str)> {
    let said = understand::front(evidence.diagnostic);
    if meaning.kind != BounceKind::Hard {
        None
    } else if meaning.reason == Reason::BadMailbox {
        of_address(said, evidence)
    } else if meaning.reason == Reason::BadDomain {
        of_domain(said, evidence)
    } else {
        None
    }
}

/// What the far side said: its own name and number, and the command, stand before that.
fn reply(said: &str) -> &str {
    const EXIM: &str = "remote mail server after ";
    if let Some((_, reply)) = said.rsplit_once("said:") {
        return reply;
    }
    let after = said.split_once(EXIM).and_then(|(_, rest)| rest.split_once(": "));
    after.map_or(said, |(_, reply)| reply)
}

fn of_address(said: &str, evidence: &Evidence<'_>) -> Option<(Reason, &'static str)> {
    let reply = reply(said);
    let named: Vec<String> = address::find_all(reply).into_iter().map(|f| f.address).collect();
    let names = |other: &str| named.iter().any(|a| a.eq_ignore_ascii_case(other));
    let ours = speaks_of_us(reply) || evidence.own.iter().any(|own| names(own));
    let about_us = ours && !evidence.recipient.is_some_and(names);
    about_us.then_some((Reason::SenderRefused, "the words are about our own address"))
}

/// "sender's account does not exist", "your MX does not exist"; but not "returned to sender".
fn speaks_of_us(reply: &str) -> bool {
    const YOURS: [&str; 6] =
        ["your mx", "your domain", "your host", "your server", "your mail server", "your system"];
    let lower = reply.to_ascii_lowercase();
    let called = |at: usize| {
        let before = lower[..at].trim_end();
        !before.ends_with(" to") && !before.ends_with("to the")
    };
    lower.match_indices("sender").any(|(at, _)| called(at))
        || YOURS.iter().any(|yours| lower.contains(yours))
}

fn of_domain(said: &str, evidence: &Evidence<'_>) -> Option<(Reason, &'static str)> {
    let words: Vec<String> = reply(said)
        .split_whitespace()
        .map(|w| w.trim_end_matches(['.', ',', ';', ':']).to_ascii_lowercase())
        .filter(|w| w.contains('.'))
        .collect();
    if words.iter().any(|w| w.parse::<Ipv4Addr>().is_ok()) {
        return Some((Reason::Policy, "the words are about a host by its number"));
    }
    let names = |address: &str| {
        let domain = address.rsplit_once('@').map_or("", |(_, d)| d).to_ascii_lowercase();
        words.iter().any(|w| {
            let rest = domain.strip_suffix(w.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let ours = evidence.own.iter().any(|own| names(own));
    let about_us = ours && !evidence.recipient.is_some_and(names);
    about_us.then_some((Reason::SenderRefused, "the words are about our own domain"))
}

#[cfg(test)]
mod tests {
    use crate::understand::{Evidence, conclude};
    use postroad_model::verdict::{BounceKind, Reason};

    #[test]
    fn words_about_us_are_not_about_the_recipient() {
        use {BounceKind::*, Reason::*};
        let own = ["b@news.example".to_owned()];
        let check = |diagnostic: &str, expected: (BounceKind, Reason)| {
            let recipient = Some("a@dest.example");
            let evidence = Evidence { recipient, diagnostic, own: &own, ..Evidence::default() };
            let found = conclude(&evidence);
            assert_eq!((found.kind, found.reason), expected, "{diagnostic} by {}", found.rule);
        };
        let callout = "550-Callout verification failed: 550 User unknown for b@news.example";
        check(callout, (Block, SenderRefused));
        check("550 User unknown for a@dest.example", (Hard, BadMailbox));
        check("550 Verification of that sender failed: no such user", (Block, SenderRefused));
        check("550 No such user, returned to sender", (Hard, BadMailbox));
        check("550 User unknown in your domain", (Block, SenderRefused));
        let exim = "host mx [192.0.2.8] SMTP error from remote mail server after RCPT TO:<a@dest.example>: ";
        let refused = |words: &str| format!("{exim}{words}");
        check(&refused("550 sender's account does not exist"), (Block, SenderRefused));
        check(&refused("550 User unknown"), (Hard, BadMailbox));
        check("550 <a@dest.example>: User unknown; mail of b@news.example", (Hard, BadMailbox));
        check("550 192.0.2.1 is not allowed here; unknown host", (Block, Policy));
        check("550 invalid record, no such host for 192.0.2.1.", (Block, Policy));
        check("550 No such domain at this location: news.example", (Block, SenderRefused));
        check("550 dest.example: no such domain, says news.example", (Hard, BadDomain));
        let remote = "host mx.dest.example[192.0.2.9] said: 550 5.1.2 Host unknown";
        check(remote, (Hard, BadDomain));
    }
}
