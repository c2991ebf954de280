//! The table of reply rules: data compiled in (`rules.toml`), what SMTP replies mean and what to do about them.
//!
//! `reply` asks it for replies to us, `understand` for those that bounces quote. `table` matches. What always holds, by
//! tests: each rule is reached by its own example, and the table ends in rules for every phase and class, so that there
//! is always a verdict.

use crate::table::{self, Facts, Table};
use postroad_model::verdict::{BounceKind, Disposition, Reason, Scope, Verdict};
use serde::Deserialize;
use std::sync::OnceLock;

const RULES: &str = include_str!("rules.toml");

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
    /// It knows nothing but the code or its class: other sources are asked before it is believed.
    #[serde(default)]
    vague: bool,
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

/// How much a rule knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Words, a provider's own code, a status that says something.
    Said,
    /// The code or its class alone: other sources are asked before it is believed.
    Vague,
}

/// The table, compiled at the first use.
fn table() -> &'static Table<Then> {
    static TABLE: OnceLock<Table<Then>> = OnceLock::new();
    TABLE.get_or_init(|| Table::compile(table::raw(RULES)))
}

/// The verdict of the first rule that matches; the text is in normal form (lower case, single blanks).
pub(crate) fn verdict(facts: &Facts<'_>) -> (Verdict, Ground) {
    let Some(rule) = table().first(facts) else {
        // The last rules cover every phase and class; this is what they would say at the worst.
        let verdict = Verdict {
            scope: Scope::Connection,
            reason: Reason::Unknown,
            kind: BounceKind::Other,
            disposition: Disposition::Reconnect,
            rule: "none".into(),
        };
        return (verdict, Ground::Vague);
    };
    let disposition = match rule.then.action {
        Action::Defer => Disposition::Defer,
        Action::Reject => Disposition::Reject,
        Action::BlockRow => Disposition::BlockRow,
        Action::Reconnect => Disposition::Reconnect,
        Action::QuotaFull => Disposition::QuotaFull { limit: None },
        Action::PauseLane => Disposition::PauseLane { seconds: rule.then.seconds },
        Action::StopLane => Disposition::StopLane,
        Action::FailMessage => Disposition::FailMessage,
    };
    let Then { scope, reason, kind, .. } = rule.then;
    let ground = if rule.then.vague { Ground::Vague } else { Ground::Said };
    (Verdict { scope, reason, kind, disposition, rule: rule.id.clone() }, ground)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify_reply;
    use crate::table::Raw;
    use postroad_model::reply::Phase;
    use postroad_model::{MailboxProvider, Reply};

    fn raw_rules() -> Vec<Raw<Then>> {
        table::raw(RULES)
    }

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
    fn example_phase(rule: &Raw<Then>) -> Phase {
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
