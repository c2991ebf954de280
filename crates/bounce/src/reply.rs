//! From a reply to a verdict: the relay's profile is asked first, then the table of `rules`.
//!
//! Called by `delivery` for each refusing reply of RFC 5321 section 4.2. The profile speaks of the relay itself, so
//! its rules hold in every phase; the table knows receiving providers, texts and codes. It does not count, wait or
//! change rows: that is the engine's part.

use crate::rules;
use crate::table::Facts;
use postroad_model::relay::{ReplyMeaning, ReplyRule};
use postroad_model::reply::{Phase, ReplyClass};
use postroad_model::verdict::{BounceKind, Disposition, Reason, Scope, Verdict};
use postroad_model::{EnhancedStatus, MailboxProvider, Reply};

/// How long a lane rests where a profile names no time.
const THROTTLE_SECONDS: u32 = 60;
const SENDER_SECONDS: u32 = 900;

/// How many words of a text are looked through for an enhanced status that does not stand at its front.
const STATUS_WORDS: usize = 12;

/// What a reply means and what to do about it.
///
/// Ask for every reply that the dialogue cannot go on with, and for each reply to the final dot. A positive one
/// means Accept there and a fault of protocol elsewhere. What is no reply at all after the dot leaves the row
/// unknown: it must neither be resent nor taken as refused.
#[must_use]
pub fn classify_reply(
    reply: &Reply,
    phase: Phase,
    provider: MailboxProvider,
    profile: &[ReplyRule],
) -> Verdict {
    match reply.class() {
        ReplyClass::Positive if phase == Phase::FinalDot => verdict(
            Scope::Recipient,
            Reason::Unknown,
            BounceKind::Other,
            Disposition::Accept,
            "taken",
        ),
        ReplyClass::Positive | ReplyClass::Intermediate | ReplyClass::Malformed => no_reply(phase),
        ReplyClass::Transient | ReplyClass::Permanent => {
            let text = normal_text(&reply.text);
            let status = reply.enhanced.or_else(|| status_in_text(reply));
            from_profile(reply.code, status, &text, profile).unwrap_or_else(|| {
                let facts = Facts {
                    code: Some(reply.code),
                    status,
                    phase: Some(phase),
                    provider,
                    hosts: ["", ""],
                    text: &text,
                    marks: "",
                    human: "",
                };
                rules::verdict(&facts).0
            })
        }
    }
}

fn verdict(
    scope: Scope,
    reason: Reason,
    kind: BounceKind,
    disposition: Disposition,
    rule: &str,
) -> Verdict {
    Verdict { scope, reason, kind, disposition, rule: rule.to_owned() }
}

fn no_reply(phase: Phase) -> Verdict {
    let disposition =
        if phase == Phase::FinalDot { Disposition::Unknown } else { Disposition::Reconnect };
    verdict(Scope::Connection, Reason::Protocol, BounceKind::Other, disposition, "out-of-protocol")
}

/// Lower case, line breaks and runs of blanks as one space, a space at both ends (rules match words by it).
fn normal_text(text: &str) -> String {
    let mut normal = String::with_capacity(text.len() + 2);
    normal.push(' ');
    for word in text.split_whitespace() {
        normal.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        normal.push(' ');
    }
    normal
}

/// Some relays put the status in brackets, behind a host name or behind `#`.
fn status_in_text(reply: &Reply) -> Option<EnhancedStatus> {
    let class = (reply.code / 100) as u8;
    reply.text.split_whitespace().take(STATUS_WORDS).find_map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        EnhancedStatus::parse(bare).filter(|status| status.class == class)
    })
}

fn from_profile(
    code: u16,
    status: Option<EnhancedStatus>,
    text: &str,
    profile: &[ReplyRule],
) -> Option<Verdict> {
    let (n, rule) = profile.iter().enumerate().find(|(_, rule)| {
        rule.code.is_none_or(|c| c == code)
            && rule.enhanced.is_none_or(|e| Some(e) == status)
            && rule.text.as_ref().is_none_or(|t| text.contains(&t.to_ascii_lowercase()))
            && (rule.code.is_some() || rule.enhanced.is_some() || rule.text.is_some())
    })?;
    let pause_or_stop = match rule.pause_seconds {
        Some(seconds) => Disposition::PauseLane { seconds },
        None => Disposition::StopLane,
    };
    let pause = |default| Disposition::PauseLane { seconds: rule.pause_seconds.unwrap_or(default) };
    let (scope, reason, kind, disposition) = match rule.means {
        ReplyMeaning::Quota => {
            let limit = rule.limit.clone();
            (Scope::Account, Reason::Quota, BounceKind::Other, Disposition::QuotaFull { limit })
        }
        ReplyMeaning::Throttle => {
            (Scope::Account, Reason::RateLimited, BounceKind::Other, pause(THROTTLE_SECONDS))
        }
        ReplyMeaning::Login => (Scope::Account, Reason::Login, BounceKind::Other, pause_or_stop),
        ReplyMeaning::Block => {
            (Scope::Account, Reason::AccountBlocked, BounceKind::Block, pause_or_stop)
        }
        ReplyMeaning::Sender => {
            (Scope::Sender, Reason::SenderRefused, BounceKind::Block, pause(SENDER_SECONDS))
        }
        ReplyMeaning::Suppressed => {
            (Scope::Recipient, Reason::SuppressedUpstream, BounceKind::Hard, Disposition::Reject)
        }
        ReplyMeaning::Connection => (
            Scope::Connection,
            Reason::ServiceUnavailable,
            BounceKind::Other,
            Disposition::Reconnect,
        ),
    };
    Some(verdict(scope, reason, kind, disposition, &format!("profile-{}", n + 1)))
}
