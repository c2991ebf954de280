//! The table of reply rules: data compiled in (`rules.toml`), matched in one pass over the text.
//!
//! All text fragments of all rules are one automaton, so a reply costs one scan and one walk over the rules. The
//! first rule that matches decides. What always holds, by tests: each rule is reached by its own example, and the
//! table ends in rules for every phase and class, so that there is always a verdict.

use aho_corasick::AhoCorasick;
use postroad_model::reply::Phase;
use postroad_model::verdict::{BounceKind, Disposition, Reason, Scope, Verdict};
use postroad_model::{EnhancedStatus, MailboxProvider};
use serde::Deserialize;
use std::ops::Range;
use std::sync::OnceLock;

const RULES: &str = include_str!("rules.toml");

/// What is known of a refusing reply; the text is in normal form (lower case, single blanks).
pub(crate) struct Facts<'t> {
    pub code: u16,
    pub status: Option<EnhancedStatus>,
    pub text: &'t str,
    pub phase: Phase,
    pub provider: MailboxProvider,
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
    example_phase: Option<Phase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct When {
    provider: Vec<MailboxProvider>,
    phase: Vec<PhaseWord>,
    class: Option<u8>,
    code: Vec<u16>,
    status: Vec<StatusPattern>,
    text: Vec<String>,
    either: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhaseWord {
    Session,
    Transaction,
    Recipient,
    #[serde(untagged)]
    One(Phase),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    scope: Scope,
    reason: Reason,
    kind: BounceKind,
    #[serde(rename = "do")]
    action: Action,
    #[serde(default)]
    seconds: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Defer,
    Reject,
    BlockRow,
    Reconnect,
    QuotaFull,
    PauseLane,
    StopLane,
    FailMessage,
}

/// `5.7.1`, with `x` for any number.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StatusPattern {
    class: Option<u8>,
    subject: Option<u16>,
    detail: Option<u16>,
}

impl TryFrom<String> for StatusPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is no status like 5.7.1 or x.7.1");
        let number = |part: Option<&str>| match part {
            Some("x") => Ok(None),
            Some(digits) => digits.parse::<u16>().map(Some).map_err(|_| bad()),
            None => Err(bad()),
        };
        let mut parts = text.split('.');
        let class = number(parts.next())?;
        let (subject, detail) = (number(parts.next())?, number(parts.next())?);
        let class = class.map(u8::try_from).transpose().map_err(|_| bad())?;
        Ok(Self { class, subject, detail })
    }
}

impl StatusPattern {
    pub fn matches(&self, status: EnhancedStatus) -> bool {
        self.class.is_none_or(|c| c == status.class)
            && self.subject.is_none_or(|s| s == status.subject)
            && self.detail.is_none_or(|d| d == status.detail)
    }
}

impl PhaseWord {
    pub fn covers(self, phase: Phase) -> bool {
        let before = phase.before_transaction();
        match self {
            Self::Session => before,
            Self::Transaction => !before,
            Self::Recipient => !before && phase != Phase::MailFrom,
            Self::One(one) => one == phase,
        }
    }
}

struct Rule {
    id: String,
    when: When,
    then: Then,
    /// Its fragments in the automaton.
    fragments: Range<usize>,
}

/// The compiled table.
pub(crate) struct Table {
    rules: Vec<Rule>,
    automaton: AhoCorasick,
}

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::compile(raw_rules()))
}

/// Whether this rule knows nothing but the code or its class: other sources are asked before it is believed.
pub(crate) fn is_code_alone(id: &str) -> bool {
    matches!(
        id,
        "storage"
            | "storage-deferred"
            | "mailbox-name"
            | "data-refused"
            | "deferred"
            | "refused"
            | "policy-text"
            | "network"
            | "network-deferred"
            | "mail-refused"
            | "mail-temporary"
            | "session-refused"
            | "session-temporary"
            | "none"
    )
}

fn raw_rules() -> Vec<RawRule> {
    let file: File = toml::from_str(RULES).expect("rules.toml is compiled in and read by a test");
    file.rule
}

impl Table {
    fn compile(raw: Vec<RawRule>) -> Self {
        let mut fragments: Vec<String> = Vec::new();
        let rules = raw
            .into_iter()
            .map(|raw| {
                let start = fragments.len();
                fragments.extend(raw.when.text.iter().cloned());
                let fragments = start..fragments.len();
                Rule { id: raw.id, when: raw.when, then: raw.then, fragments }
            })
            .collect();
        let automaton = AhoCorasick::new(&fragments)
            .expect("a few hundred short fragments fit into an automaton, as a test shows");
        Self { rules, automaton }
    }

    /// The verdict of the first rule that matches.
    pub fn verdict(&self, facts: &Facts<'_>) -> Verdict {
        let mut seen = vec![false; self.automaton.patterns_len()];
        for hit in self.automaton.find_overlapping_iter(facts.text) {
            seen[hit.pattern().as_usize()] = true;
        }
        match self.rules.iter().find(|rule| rule.matches(facts, &seen)) {
            Some(rule) => rule.verdict(),
            // The last rules cover every phase and class; this is what they would say at the worst.
            None => Verdict {
                scope: Scope::Connection,
                reason: Reason::Unknown,
                kind: BounceKind::Other,
                disposition: Disposition::Reconnect,
                rule: "none".into(),
            },
        }
    }
}

impl Rule {
    fn matches(&self, facts: &Facts<'_>, seen: &[bool]) -> bool {
        let when = &self.when;
        let fits = (when.provider.is_empty() || when.provider.contains(&facts.provider))
            && (when.phase.is_empty() || when.phase.iter().any(|p| p.covers(facts.phase)))
            && when.class.is_none_or(|class| u16::from(class) == facts.code / 100)
            && (when.code.is_empty() || when.code.contains(&facts.code));
        if !fits {
            return false;
        }
        let status = || facts.status.is_some_and(|s| when.status.iter().any(|p| p.matches(s)));
        let text = || seen[self.fragments.clone()].contains(&true);
        if when.either {
            return status() || text();
        }
        (when.status.is_empty() || status()) && (when.text.is_empty() || text())
    }

    fn verdict(&self) -> Verdict {
        let disposition = match self.then.action {
            Action::Defer => Disposition::Defer,
            Action::Reject => Disposition::Reject,
            Action::BlockRow => Disposition::BlockRow,
            Action::Reconnect => Disposition::Reconnect,
            Action::QuotaFull => Disposition::QuotaFull { limit: None },
            Action::PauseLane => Disposition::PauseLane { seconds: self.then.seconds },
            Action::StopLane => Disposition::StopLane,
            Action::FailMessage => Disposition::FailMessage,
        };
        let Then { scope, reason, kind, .. } = self.then;
        Verdict { scope, reason, kind, disposition, rule: self.id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify_reply;
    use postroad_model::Reply;

    const PHASES: [Phase; 10] = [
        Phase::Connect,
        Phase::Greeting,
        Phase::Ehlo,
        Phase::StartTls,
        Phase::Auth,
        Phase::MailFrom,
        Phase::RcptTo,
        Phase::Data,
        Phase::Body,
        Phase::FinalDot,
    ];

    /// The final dot where the rule holds there, else its first phase.
    fn example_phase(rule: &RawRule) -> Phase {
        let holds =
            |p: Phase| rule.when.phase.is_empty() || rule.when.phase.iter().any(|w| w.covers(p));
        rule.example_phase.unwrap_or_else(|| {
            let dot = Some(Phase::FinalDot).filter(|p| holds(*p));
            dot.or_else(|| PHASES.into_iter().find(|p| holds(*p))).unwrap()
        })
    }

    #[test]
    fn each_rule_is_reached_by_its_own_example() {
        let mut faults = Vec::new();
        for rule in raw_rules() {
            let (code, text) = rule.example.split_once(' ').unwrap();
            let provider = rule.when.provider.first().copied().unwrap_or(MailboxProvider::Other);
            let reply = Reply::new(code.parse().unwrap(), text);
            let verdict = classify_reply(&reply, example_phase(&rule), provider, &[]);
            if verdict.rule != rule.id {
                faults.push(format!("{}: its example comes to {}", rule.id, verdict.rule));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// A fragment alone must come to its rule; where the rule wants a status too, it is given its example's.
    #[test]
    fn no_fragment_is_shadowed_by_an_earlier_rule() {
        let mut faults = Vec::new();
        for rule in raw_rules() {
            let (code, _) = rule.example.split_once(' ').unwrap();
            let provider = rule.when.provider.first().copied().unwrap_or(MailboxProvider::Other);
            for fragment in &rule.when.text {
                let reply = Reply::new(code.parse().unwrap(), fragment);
                let verdict = classify_reply(&reply, example_phase(&rule), provider, &[]);
                if verdict.rule != rule.id {
                    faults.push(format!("{}: {fragment:?} comes to {}", rule.id, verdict.rule));
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
            for text in &rule.when.text {
                assert_eq!(*text, text.to_lowercase(), "{}", rule.id);
                assert!(text.len() > 3, "{}: {text:?} is too short to mean anything", rule.id);
            }
            let pauses = matches!(rule.then.action, Action::PauseLane);
            assert_eq!(pauses, rule.then.seconds > 0, "{}: seconds", rule.id);
            let both = !rule.when.status.is_empty() && !rule.when.text.is_empty();
            assert!(both || !rule.when.either, "{}: either of one", rule.id);
            ids.push(rule.id);
        }
    }

    #[test]
    fn what_is_ours_to_fix_is_never_the_recipients_fault() {
        for rule in raw_rules() {
            let final_for_row = matches!(rule.then.action, Action::Reject);
            if final_for_row {
                assert_eq!(rule.then.scope, Scope::Recipient, "{} rejects", rule.id);
            }
            if rule.then.kind == BounceKind::Hard {
                assert!(final_for_row, "{} is hard", rule.id);
            }
            let holds_early = PHASES.into_iter().any(|p| {
                p.before_transaction()
                    && (rule.when.phase.is_empty() || rule.when.phase.iter().any(|w| w.covers(p)))
            });
            if holds_early {
                let concerns_row = matches!(
                    rule.then.action,
                    Action::Reject | Action::BlockRow | Action::Defer | Action::FailMessage
                );
                assert!(!concerns_row, "{} would decide a row before MAIL FROM", rule.id);
            }
        }
    }

    #[test]
    fn every_phase_and_class_has_a_rule() {
        for phase in PHASES {
            for code in 400..600 {
                for provider in MailboxProvider::ALL {
                    let verdict = classify_reply(&Reply::new(code, ""), phase, *provider, &[]);
                    assert_ne!(verdict.rule, "none", "{code} at {phase:?}");
                    if phase.before_transaction() {
                        assert_ne!(verdict.scope, Scope::Recipient, "{code} at {phase:?}");
                    }
                }
            }
        }
    }
}
