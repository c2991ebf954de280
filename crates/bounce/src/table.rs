//! The engine of both tables: rules read from compiled-in data, matched in one pass over each text.
//!
//! `rules` holds the table of SMTP replies in it, `words` that of what bounces say. All fragments of all rules are one
//! automaton for each text, so an asking costs a scan of each text and one walk over the rules. The first rule that
//! matches decides. What always holds: every condition of a rule must hold, of a list one entry is enough. It does not
//! know what follows from a match: that is the table's own type `T`.

use aho_corasick::AhoCorasick;
use postroad_model::reply::Phase;
use postroad_model::{EnhancedStatus, MailboxProvider};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::Range;

/// What is known of a refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'t> {
    pub code: Option<u16>,
    pub status: Option<EnhancedStatus>,
    pub phase: Option<Phase>,
    pub provider: MailboxProvider,
    /// Lower-case name of the refusing host, then the recipient's domain.
    pub hosts: [&'t str; 2],
    /// The diagnostic in the table's normal form.
    pub text: &'t str,
    /// The diagnostic in lower case.
    pub marks: &'t str,
    /// All that a report says to people, in normal form.
    pub human: &'t str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<T> {
    rule: Vec<Raw<T>>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw<T> {
    pub id: String,
    pub when: When,
    pub then: T,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test sends each example through the table")
    )]
    pub example: String,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "as example"))]
    pub example_phase: Option<Phase>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "as example"))]
    pub example_host: String,
}

/// The conditions of a rule; an absent one always holds.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct When {
    pub provider: Vec<MailboxProvider>,
    pub phase: Vec<PhaseWord>,
    pub class: Option<u16>,
    pub code: Vec<u16>,
    pub status: Vec<StatusPattern>,
    pub host: Vec<String>,
    pub text: Vec<String>,
    /// Parts of the text that forbid the rule.
    pub not: Vec<String>,
    pub mark: Vec<String>,
    pub human: Vec<String>,
    /// Status or text is enough.
    pub either: bool,
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
    fn matches(&self, status: EnhancedStatus) -> bool {
        self.class.is_none_or(|c| c == status.class)
            && self.subject.is_none_or(|s| s == status.subject)
            && self.detail.is_none_or(|d| d == status.detail)
    }
}

impl PhaseWord {
    /// Whether the word means this phase too.
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

/// A rule, compiled: its fragments are ranges in the automata.
pub(crate) struct Rule<T> {
    pub id: String,
    pub then: T,
    when: When,
    text: Range<usize>,
    not: Range<usize>,
    mark: Range<usize>,
    human: Range<usize>,
}

/// The compiled table.
pub(crate) struct Table<T> {
    rules: Vec<Rule<T>>,
    text: AhoCorasick,
    marks: AhoCorasick,
    human: AhoCorasick,
}

/// The rules of a compiled-in file.
pub(crate) fn raw<T: DeserializeOwned>(toml: &str) -> Vec<Raw<T>> {
    let file: File<T> = toml::from_str(toml).expect("a table is compiled in and read by a test");
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

fn any(seen: &[bool], range: &Range<usize>) -> bool {
    seen[range.clone()].contains(&true)
}

impl<T> Table<T> {
    /// Compiles rules.
    pub fn compile(raw: Vec<Raw<T>>) -> Self {
        let (mut text, mut marks, mut human) = (Vec::new(), Vec::new(), Vec::new());
        let rules = raw
            .into_iter()
            .map(|raw| Rule {
                text: add(&mut text, &raw.when.text),
                not: add(&mut text, &raw.when.not),
                mark: add(&mut marks, &raw.when.mark),
                human: add(&mut human, &raw.when.human),
                id: raw.id,
                when: raw.when,
                then: raw.then,
            })
            .collect();
        Self { rules, text: automaton(&text), marks: automaton(&marks), human: automaton(&human) }
    }

    /// The first rule that matches.
    pub fn first(&self, facts: &Facts<'_>) -> Option<&Rule<T>> {
        let text = scan(&self.text, facts.text);
        let marks = scan(&self.marks, facts.marks);
        let human = scan(&self.human, facts.human);
        self.rules.iter().find(|rule| {
            rule.when.holds(facts)
                && rule.says(facts, &text)
                && (rule.mark.is_empty() || any(&marks, &rule.mark))
                && (rule.human.is_empty() || any(&human, &rule.human))
                && !any(&text, &rule.not)
        })
    }

    /// Whether a text has any rule's words in it.
    pub fn speaks(&self, text: &str) -> bool {
        let seen = scan(&self.text, text);
        self.rules.iter().any(|rule| any(&seen, &rule.text))
    }
}

impl<T> Rule<T> {
    /// Status and text: both, or one of them where the rule says so.
    fn says(&self, facts: &Facts<'_>, seen: &[bool]) -> bool {
        let patterns = &self.when.status;
        let status = || facts.status.is_some_and(|s| patterns.iter().any(|p| p.matches(s)));
        if self.when.either {
            return status() || any(seen, &self.text);
        }
        (patterns.is_empty() || status()) && (self.text.is_empty() || any(seen, &self.text))
    }
}

impl When {
    /// The conditions on all but texts and status.
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let class =
            facts.code.map(|c| c / 100).or_else(|| facts.status.map(|s| u16::from(s.class)));
        let host = |end: &String| {
            facts.hosts.iter().any(|h| {
                h.strip_suffix(end.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        (self.provider.is_empty() || self.provider.contains(&facts.provider))
            && (self.phase.is_empty()
                || facts.phase.is_some_and(|p| self.phase.iter().any(|w| w.covers(p))))
            && self.class.is_none_or(|c| class == Some(c))
            && (self.code.is_empty() || facts.code.is_some_and(|c| self.code.contains(&c)))
            && (self.host.is_empty() || self.host.iter().any(host))
    }
}
