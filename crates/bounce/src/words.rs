//! The table of what words mean in bounces: data compiled in (`words.toml`).
//!
//! `understand` asks it before the table of SMTP replies; `table` matches. What always holds, by
//! tests: each rule is reached by its own example, and no part of a text leads to another kind than its rule's. It does
//! not know statuses without words beyond the few that its rules name.

use crate::reading::Confidence;
use crate::table::{self, Facts, Table};
use postroad_model::verdict::{BounceKind, Reason};
use serde::Deserialize;
use std::sync::OnceLock;

const WORDS: &str = include_str!("words.toml");

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    reason: Reason,
    kind: Option<BounceKind>,
    #[serde(default)]
    sure: Sure,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sure {
    #[default]
    High,
    Medium,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub rule: String,
    pub reason: Reason,
    pub kind: BounceKind,
    pub confidence: Confidence,
}

/// The table, compiled at the first use.
fn table() -> &'static Table<Then> {
    static TABLE: OnceLock<Table<Then>> = OnceLock::new();
    TABLE.get_or_init(|| Table::compile(table::raw(WORDS)))
}

/// What the first rule that matches says.
pub(crate) fn meaning(facts: &Facts<'_>) -> Option<Meaning> {
    let rule = table().first(facts)?;
    Some(Meaning {
        rule: rule.id.clone(),
        reason: rule.then.reason,
        kind: rule.then.kind.unwrap_or_else(|| kind_of(rule.then.reason)),
        confidence: match rule.then.sure {
            Sure::High => Confidence::High,
            Sure::Medium => Confidence::Medium,
        },
    })
}

/// Whether a line in normal form says that something went wrong, by any rule's words.
pub(crate) fn speak_of_failure(words: &str) -> bool {
    table().speaks(words)
}

/// The kind that goes with a reason where a rule does not say another.
pub(crate) fn kind_of(reason: Reason) -> BounceKind {
    match reason {
        Reason::BadMailbox
        | Reason::BadDomain
        | Reason::NoMailService
        | Reason::SuppressedUpstream => BounceKind::Hard,
        Reason::MailboxDisabled
        | Reason::MailboxFull
        | Reason::MessageTooBig
        | Reason::Expired
        | Reason::Network
        | Reason::RemoteSystem
        | Reason::RateLimited
        | Reason::Greylisted
        | Reason::TlsFailed
        | Reason::ServiceUnavailable
        | Reason::Unknown => BounceKind::Soft,
        Reason::ReputationBlock
        | Reason::NoPtr
        | Reason::AuthFail
        | Reason::SpamContent
        | Reason::Virus
        | Reason::Policy
        | Reason::RecipientFilter
        | Reason::RelayDenied
        | Reason::AccountBlocked
        | Reason::SenderRefused => BounceKind::Block,
        Reason::Complaint => BounceKind::Complaint,
        Reason::AutoReply => BounceKind::AutoReply,
        Reason::Protocol
        | Reason::Quota
        | Reason::Login
        | Reason::NeedsSmtputf8
        | Reason::OptOut
        | Reason::AuthReport
        | Reason::NotSpam
        | Reason::Delivered => BounceKind::Other,
    }
}

/// A text in the form that rules match: lower case, single blanks and one at each end, without addresses, links,
/// reply codes and statuses.
pub(crate) fn normal(text: &str) -> String {
    let lower = without_command(&without_addresses(text).to_lowercase())
        .replace(['\u{2019}', '\u{2018}', '`'], "'");
    let mut out = String::with_capacity(lower.len() + 2);
    out.push(' ');
    for word in lower.split_whitespace() {
        if is_noise(word) {
            continue;
        }
        out.push_str(word);
        out.push(' ');
    }
    for (long, short) in [("e-mail", "email"), ("mail box", "mailbox"), ("e- mail", "email")] {
        if out.contains(long) {
            out = out.replace(long, short);
        }
    }
    out
}

/// `(in reply to RCPT TO command)` is read as a command, not as words.
fn without_command(lower: &str) -> String {
    match lower.split_once("(in reply to") {
        Some((before, after)) => {
            let after = after.split_once(')').map_or("", |(_, a)| a);
            format!("{before} {after}")
        }
        None => lower.to_owned(),
    }
}

fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for found in crate::address::find_all(text) {
        out.push_str(&text[from..found.at.start]);
        out.push(' ');
        from = found.at.end;
    }
    out.push_str(&text[from..]);
    out
}

/// Links, codes, statuses and signs without a letter or digit.
fn is_noise(word: &str) -> bool {
    if word.contains("://") || word.starts_with("www.") || !word.chars().any(char::is_alphanumeric)
    {
        return true;
    }
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let numeric = bare.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let codes = crate::codes::of(bare);
    numeric && (codes.code.is_some() || codes.status.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;
    use crate::table::Raw;
    use postroad_model::MailboxProvider;

    fn raw_rules() -> Vec<Raw<Then>> {
        table::raw(WORDS)
    }

    fn meaning_of(text: &str, host: &str, human: &str) -> Option<Meaning> {
        let found = codes::of(text);
        meaning(&Facts {
            code: found.code,
            status: found.status,
            phase: codes::command(text),
            provider: MailboxProvider::Other,
            hosts: [host, ""],
            text: &normal(text),
            marks: &text.to_lowercase(),
            human: &normal(human),
        })
    }

    #[test]
    fn each_rule_is_reached_by_its_own_example() {
        let mut faults = Vec::new();
        for rule in raw_rules() {
            let human = if rule.when.human.is_empty() { "" } else { &rule.example };
            let found = meaning_of(&rule.example, &rule.example_host, human).map(|m| m.rule);
            if found.as_deref() != Some(rule.id.as_str()) {
                faults.push(format!("{}: its example comes to {found:?}", rule.id));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// Words alone, with the rule's own code, must not lead to another kind than the rule's.
    #[test]
    fn no_words_lead_to_another_kind() {
        let mut faults = Vec::new();
        for rule in raw_rules() {
            let found = codes::of(&rule.example);
            let kind = rule.then.kind.unwrap_or_else(|| kind_of(rule.then.reason));
            for fragment in &rule.when.text {
                let facts = Facts {
                    code: found.code,
                    status: found.status,
                    phase: codes::command(&rule.example),
                    provider: MailboxProvider::Other,
                    hosts: [&rule.example_host, ""],
                    text: &format!(" {fragment} "),
                    marks: &rule.example.to_lowercase(),
                    human: "",
                };
                let meaning = meaning(&facts);
                let same = meaning.as_ref().is_some_and(|m| {
                    let both = [m.kind, kind];
                    // Soft and block are neighbours: neither costs an address.
                    m.kind == kind
                        || !both.contains(&BounceKind::Hard) && !both.contains(&BounceKind::Other)
                });
                if !same {
                    let other = meaning.map(|m| m.rule);
                    faults.push(format!("{}: {fragment:?} comes to {other:?}", rule.id));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn rules_are_well_formed_and_their_names_unique() {
        let mut ids: Vec<String> = Vec::new();
        for rule in raw_rules() {
            assert!(!ids.contains(&rule.id), "{} stands twice", rule.id);
            let when = &rule.when;
            for text in [&when.text, &when.not, &when.mark, &when.human].into_iter().flatten() {
                assert_eq!(*text, text.to_lowercase(), "{}", rule.id);
            }
            for text in [&when.text, &when.not, &when.human].into_iter().flatten() {
                assert!(
                    !text.contains("e-mail") && !text.contains("mail box"),
                    "{}: {text:?}",
                    rule.id
                );
            }
            let conditions = when.text.len()
                + when.mark.len()
                + when.human.len()
                + when.status.len()
                + when.code.len();
            assert!(conditions > 0, "{} holds for everything", rule.id);
            ids.push(rule.id);
        }
    }

    #[test]
    fn normal_form_has_words_only() {
        assert_eq!(
            normal(
                "550-5.7.1 Mail Box <a@b.example> is  full, see https://x.example/ 550 5.7.1 E-Mail\u{2019}s"
            ),
            " mailbox is full, see email's "
        );
        assert_eq!(normal("a@b.example\u{304c}\u{898b}\u{3064}"), " \u{304c}\u{898b}\u{3064} ");
    }
}
