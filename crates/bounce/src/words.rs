//! The table of what words mean in bounces: data compiled in (`words.toml`), matched in one pass over each text.
//!
//! `understand` asks it before the table of SMTP replies. The first rule that matches decides. What always holds, by
//! tests: each rule is reached by its own example, and no part of a text leads to another kind than its rule's. It does
//! not know statuses without words beyond the few that its rules name.

use crate::reading::Confidence;
use crate::rules::{PhaseWord, StatusPattern};
use aho_corasick::AhoCorasick;
use postroad_model::EnhancedStatus;
use postroad_model::reply::Phase;
use postroad_model::verdict::{BounceKind, Reason};
use serde::Deserialize;
use std::ops::Range;
use std::sync::OnceLock;

const WORDS: &str = include_str!("words.toml");

/// What is known of one recipient's refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'t> {
    pub code: Option<u16>,
    pub status: Option<EnhancedStatus>,
    pub phase: Option<Phase>,
    /// Lower-case name of the refusing host, then the recipient's domain.
    pub hosts: [&'t str; 2],
    /// The diagnostic in normal form (`normal`).
    pub words: &'t str,
    /// The diagnostic in lower case.
    pub marks: &'t str,
    /// All that the report says to people, in normal form.
    pub human: &'t str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    when: When,
    then: Then,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test sends each example through the table")
    )]
    example: String,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "as example"))]
    example_host: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct When {
    text: Vec<String>,
    not: Vec<String>,
    mark: Vec<String>,
    human: Vec<String>,
    host: Vec<String>,
    status: Vec<StatusPattern>,
    class: Option<u16>,
    code: Vec<u16>,
    phase: Vec<PhaseWord>,
}

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

struct Rule {
    id: String,
    when: When,
    then: Then,
    text: Range<usize>,
    not: Range<usize>,
    mark: Range<usize>,
    human: Range<usize>,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub rule: String,
    pub reason: Reason,
    pub kind: BounceKind,
    pub confidence: Confidence,
}

/// The compiled table: one automaton for words and one for marks.
pub(crate) struct Table {
    rules: Vec<Rule>,
    words: AhoCorasick,
    marks: AhoCorasick,
    human: AhoCorasick,
}

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::compile(raw_rules()))
}

fn raw_rules() -> Vec<RawRule> {
    let file: File = toml::from_str(WORDS).expect("words.toml is compiled in and read by a test");
    file.rule
}

fn automaton(fragments: &[String]) -> AhoCorasick {
    AhoCorasick::new(fragments)
        .expect("some hundred short fragments fit into an automaton, as a test shows")
}

fn add(fragments: &mut Vec<String>, more: &[String]) -> Range<usize> {
    let start = fragments.len();
    fragments.extend(more.iter().cloned());
    start..fragments.len()
}

fn scan(automaton: &AhoCorasick, text: &str) -> Vec<bool> {
    let mut seen = vec![false; automaton.patterns_len()];
    for hit in automaton.find_overlapping_iter(text) {
        seen[hit.pattern().as_usize()] = true;
    }
    seen
}

impl Table {
    fn compile(raw: Vec<RawRule>) -> Self {
        let (mut words, mut marks, mut human) = (Vec::new(), Vec::new(), Vec::new());
        let rules = raw
            .into_iter()
            .map(|raw| Rule {
                text: add(&mut words, &raw.when.text),
                not: add(&mut words, &raw.when.not),
                mark: add(&mut marks, &raw.when.mark),
                human: add(&mut human, &raw.when.human),
                id: raw.id,
                when: raw.when,
                then: raw.then,
            })
            .collect();
        Self { rules, words: automaton(&words), marks: automaton(&marks), human: automaton(&human) }
    }

    /// What the first rule that matches says.
    pub fn meaning(&self, facts: &Facts<'_>) -> Option<Meaning> {
        let words = scan(&self.words, facts.words);
        let marks = scan(&self.marks, facts.marks);
        let human = scan(&self.human, facts.human);
        let any = |seen: &[bool], range: &Range<usize>| seen[range.clone()].contains(&true);
        let rule = self.rules.iter().find(|rule| {
            rule.when.holds(facts)
                && (rule.text.is_empty() || any(&words, &rule.text))
                && (rule.mark.is_empty() || any(&marks, &rule.mark))
                && (rule.human.is_empty() || any(&human, &rule.human))
                && !any(&words, &rule.not)
        })?;
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

    /// Whether a line says that something went wrong, by any rule's words.
    pub fn speaks_of_failure(&self, words: &str) -> bool {
        let seen = scan(&self.words, words);
        self.rules.iter().any(|rule| seen[rule.text.clone()].contains(&true))
    }
}

impl When {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let class =
            facts.code.map(|c| c / 100).or_else(|| facts.status.map(|s| u16::from(s.class)));
        let host = |end: &String| {
            facts.hosts.iter().any(|h| {
                h.strip_suffix(end.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        (self.status.is_empty()
            || facts.status.is_some_and(|s| self.status.iter().any(|p| p.matches(s))))
            && self.class.is_none_or(|c| class == Some(c))
            && (self.code.is_empty() || facts.code.is_some_and(|c| self.code.contains(&c)))
            && (self.phase.is_empty()
                || facts.phase.is_some_and(|p| self.phase.iter().any(|w| w.covers(p))))
            && (self.host.is_empty() || self.host.iter().any(host))
    }
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

    fn meaning_of(text: &str, host: &str, human: &str) -> Option<Meaning> {
        let found = codes::of(text);
        table().meaning(&Facts {
            code: found.code,
            status: found.status,
            phase: codes::command(text),
            hosts: [host, ""],
            words: &normal(text),
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
                    hosts: [&rule.example_host, ""],
                    words: &format!(" {fragment} "),
                    marks: &rule.example.to_lowercase(),
                    human: "",
                };
                let meaning = table().meaning(&facts);
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
