//! From what a report says about one recipient to a reason, a kind and how sure that is.
//!
//! `read` calls it for each recipient. It asks the table of words first, then the table of SMTP replies (the same that
//! `classify_reply` asks), then all that the report says to people, then the status alone. What always holds: a reply
//! before RCPT TO never makes a recipient hard, what is transient by code or action is not hard unless the far side
//! said in words that the user is unknown and gave up, and a status alone is never surer than medium. It counts
//! nothing and does not look into other mails.

use crate::codes::{self, Codes};
use crate::ours;
use crate::reading::{Action, Confidence};
use crate::rules::{self, Ground};
use crate::table::Facts;
use crate::words::{self, Meaning, kind_of, normal};
use postroad_model::reply::Phase;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{Domain, EnhancedStatus, MailboxProvider};

/// Most bytes of a diagnostic, and of a report's prose, that rules are matched against.
const MAX_MATCHED: usize = 4_096;

/// What is told about one recipient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence<'e> {
    pub recipient: Option<&'e str>,
    pub action: Option<Action>,
    /// The status field.
    pub status: Option<&'e str>,
    /// The comment in the status field.
    pub comment: &'e str,
    pub diagnostic: &'e str,
    pub remote_mta: Option<&'e str>,
    /// What the sending server concluded by itself (PowerMTA).
    pub category: Option<&'e str>,
    /// What the report says to people.
    pub human: &'e str,
    /// It says so of this recipient only.
    pub alone: bool,
    /// Subject of the report.
    pub subject: &'e str,
    /// Addresses that the report itself was sent to: ours.
    pub own: &'e [String],
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conclusion {
    pub code: Option<u16>,
    pub status: Option<String>,
    pub reason: Reason,
    pub kind: BounceKind,
    pub confidence: Confidence,
    pub rule: String,
    pub conflict: bool,
    pub steps: Vec<String>,
}

/// Concludes.
pub(crate) fn conclude(evidence: &Evidence<'_>) -> Conclusion {
    let told = Told::of(evidence);
    let mut steps = told.steps(evidence);
    if let Some(Action::Delivered | Action::Relayed | Action::Expanded) = evidence.action {
        steps.push("the action says that the mail went on".to_owned());
        return Conclusion {
            code: None,
            status: evidence.status.map(str::to_owned),
            reason: Reason::Delivered,
            kind: BounceKind::Other,
            confidence: Confidence::High,
            rule: "action".to_owned(),
            conflict: false,
            steps,
        };
    }
    let meaning = meaning_of(evidence, &told);
    steps.push(format!("rule {}: {}", meaning.rule, meaning.reason.as_str()));
    let (meaning, why) = match ours::about_us(&meaning, evidence) {
        Some((reason, why)) => (block(meaning, reason), Some(why)),
        None => tempered(meaning, evidence.action, &told),
    };
    steps.extend(why.map(str::to_owned));
    let conflict = conflicts(&meaning, &told);
    if conflict {
        steps.push("status and words do not agree, so it is less sure".to_owned());
    }
    let confidence =
        if conflict { meaning.confidence.min(Confidence::Medium) } else { meaning.confidence };
    Conclusion {
        code: told.codes.code,
        status: Some(told.shown_status(evidence.action)),
        reason: meaning.reason,
        kind: meaning.kind,
        confidence,
        rule: meaning.rule,
        conflict,
        steps,
    }
}

/// The codes, and what came from where.
struct Told {
    codes: Codes,
    /// The better of the status field and the diagnostic's.
    status: Option<EnhancedStatus>,
    phase: Option<Phase>,
}

impl Told {
    fn of(evidence: &Evidence<'_>) -> Self {
        let mut codes = codes::of(evidence.diagnostic);
        if let Some(inner) = last_reply(evidence.diagnostic) {
            codes = inner;
        }
        let field = evidence.status.and_then(EnhancedStatus::parse);
        let status = match (codes.status, field) {
            (Some(text), _) if codes::says_something(text) => Some(text),
            (_, Some(field)) => Some(field),
            (text, None) => text,
        };
        let phase = codes::command(evidence.diagnostic)
            .or_else(|| codes::command(evidence.human).filter(|_| evidence.alone));
        Self { codes, status, phase }
    }

    /// 4 or 5: what passes and what is final; the reply's word counts more than the reporter's.
    fn class(&self) -> Option<u16> {
        self.codes.code.map(|c| c / 100).or_else(|| self.status.map(|s| u16::from(s.class)))
    }

    /// RFC 3464 section 2.3.4 wants a status for each recipient; where none was told, its class is known all the same.
    fn shown_status(&self, action: Option<Action>) -> String {
        match (self.status, self.class()) {
            (Some(status), _) => status.to_string(),
            (None, Some(4)) => "4.0.0".to_owned(),
            (None, None) if action == Some(Action::Delayed) => "4.0.0".to_owned(),
            (None, _) => "5.0.0".to_owned(),
        }
    }

    fn steps(&self, evidence: &Evidence<'_>) -> Vec<String> {
        let mut steps = Vec::new();
        if let Some(field) = evidence.status {
            steps.push(format!("the status field says {field}"));
        }
        match (self.codes.code, self.codes.status) {
            (Some(code), Some(status)) => {
                steps.push(format!("the diagnostic says {code} {status}"));
            }
            (Some(code), None) => steps.push(format!("the diagnostic says {code}")),
            (None, Some(status)) => steps.push(format!("the diagnostic says {status}")),
            (None, None) => {}
        }
        if let Some(phase) = self.phase {
            steps.push(format!("it was refused at {phase:?}"));
        }
        steps
    }
}

/// "Message expired <421 4.4.2 timed out>": the reply that was the last one before time ran out.
fn last_reply(diagnostic: &str) -> Option<Codes> {
    let open = diagnostic.rfind('<')?;
    let inner = &diagnostic[open + 1..];
    let reply = inner.get(..inner.find('>').unwrap_or(inner.len()))?;
    let found = codes::of(reply.get(..reply.len().min(MAX_MATCHED)).unwrap_or(""));
    (reply.starts_with(['4', '5']) && found.code.is_some()).then_some(found)
}

pub(crate) fn front(text: &str) -> &str {
    let mut end = text.len().min(MAX_MATCHED);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn meaning_of(evidence: &Evidence<'_>, told: &Told) -> Meaning {
    let said = front(evidence.diagnostic);
    // A comment beside the status is mostly the status in words; it counts where nothing else is said.
    let wordless = !normal(said).contains(|c: char| c.is_alphabetic());
    let said =
        if wordless { format!("{said} {}", front(evidence.comment)) } else { said.to_owned() };
    let words = normal(&said);
    let category = evidence.category.map(|c| format!("bouncecategory: {c}")).unwrap_or_default();
    let marks = format!("{} {category} ", said.to_lowercase());
    let human = normal(front(evidence.human));
    let hosts = hosts_of(evidence);
    let facts = Facts {
        code: told.codes.code,
        status: told.status,
        phase: told.phase,
        provider: provider_of(&hosts),
        hosts: [&hosts[0], &hosts[1]],
        text: &words,
        marks: &marks,
        human: &human,
    };
    let by_words = words::meaning(&facts);
    // The words of the far side decide, unless they are only "refused".
    if let Some(meaning) = by_words.as_ref().filter(|m| m.rule != "policy") {
        return meaning.clone();
    }
    let by_reply = by_reply(&facts, told);
    if let Some(meaning) = by_reply.as_ref().filter(|m| m.confidence > Confidence::Low) {
        return meaning.clone();
    }
    // What a report says of several people is not known to be about this one, whose own words say something else.
    let about_all = evidence.alone || words.trim().is_empty();
    let by_people = by_people(&facts, &human, evidence.subject)
        .filter(|m| about_all || m.kind != BounceKind::Hard);
    by_words.or(by_people).or(by_reply).unwrap_or_else(|| Meaning {
        rule: "nothing-said".to_owned(),
        reason: Reason::Unknown,
        kind: BounceKind::Soft,
        confidence: Confidence::Low,
    })
}

/// The refusing host and the recipient's domain, in lower case.
fn hosts_of(evidence: &Evidence<'_>) -> [String; 2] {
    let host = evidence.remote_mta.unwrap_or_default();
    let host = host.split([' ', '[', '(']).next().unwrap_or_default();
    let domain = evidence.recipient.and_then(|r| r.rsplit_once('@')).map_or("", |(_, d)| d);
    [host.trim_end_matches('.').to_ascii_lowercase(), domain.to_ascii_lowercase()]
}

/// Who hosts the mailbox: by the refusing host's name, else by the recipient's domain.
fn provider_of(hosts: &[String; 2]) -> MailboxProvider {
    Domain::parse(&hosts[0])
        .map(|d| MailboxProvider::of_mx(&d))
        .ok()
        .filter(|p| *p != MailboxProvider::Other)
        .or_else(|| Domain::parse(&hosts[1]).map(|d| MailboxProvider::of_domain(&d)).ok())
        .unwrap_or(MailboxProvider::Other)
}

/// The table of SMTP replies, for a reply or a status that is not in the table of words.
fn by_reply(facts: &Facts<'_>, told: &Told) -> Option<Meaning> {
    let code = told.codes.code.or_else(|| told.status.map(|s| u16::from(s.class) * 100 + 50))?;
    if !(400..600).contains(&code) {
        return None;
    }
    let (verdict, ground) = rules::verdict(&Facts {
        code: Some(code),
        status: told.status.filter(|s| codes::says_something(*s)),
        phase: Some(told.phase.unwrap_or(Phase::FinalDot)),
        ..*facts
    });
    // The table of words, which was asked before, knows when such words are about something else.
    let unsure = verdict.rule == "unknown-user" && told.status.is_none_or(|s| s.subject != 1);
    let (reason, kind) = match verdict.kind {
        BounceKind::Other => (verdict.reason, kind_of(verdict.reason)),
        BounceKind::Hard if unsure => (Reason::Policy, BounceKind::Block),
        kind @ (BounceKind::Hard
        | BounceKind::Soft
        | BounceKind::Block
        | BounceKind::Complaint
        | BounceKind::AutoReply) => (verdict.reason, kind),
    };
    let confidence = match ground {
        Ground::Said => Confidence::Medium,
        Ground::Vague => Confidence::Low,
    };
    Some(Meaning { rule: format!("reply-{}", verdict.rule), reason, kind, confidence })
}

/// What the report says to people, where the far side's words are missing or say nothing.
fn by_people(facts: &Facts<'_>, human: &str, subject: &str) -> Option<Meaning> {
    let ask = |text: &str| words::meaning(&Facts { text, ..*facts });
    let found = ask(human).or_else(|| ask(&normal(subject))).filter(|m| m.rule != "policy")?;
    let confidence = found.confidence.min(Confidence::Medium);
    Some(Meaning { confidence, ..found })
}

fn block(meaning: Meaning, reason: Reason) -> Meaning {
    Meaning { reason, kind: BounceKind::Block, ..meaning }
}

/// What the place and the permanence of a refusal take away from a verdict.
fn tempered(
    meaning: Meaning,
    action: Option<Action>,
    told: &Told,
) -> (Meaning, Option<&'static str>) {
    let soft = |m: Meaning| Meaning { kind: BounceKind::Soft, ..m };
    if meaning.kind != BounceKind::Hard {
        let unknown = meaning.reason == Reason::Unknown && action == Some(Action::Delayed);
        let reason = if unknown { Reason::Expired } else { meaning.reason };
        return (Meaning { reason, ..meaning }, None);
    }
    match told.phase {
        Some(Phase::MailFrom) => {
            let meaning = block(meaning, Reason::SenderRefused);
            return (meaning, Some("what is refused at MAIL FROM is ours, not the recipient's"));
        }
        Some(Phase::Connect | Phase::Greeting | Phase::Ehlo | Phase::StartTls | Phase::Auth)
            if meaning.reason == Reason::BadMailbox =>
        {
            let meaning = block(meaning, Reason::ReputationBlock);
            let why = "what is refused before the transaction does not concern a mailbox";
            return (meaning, Some(why));
        }
        // A mailbox may be missed behind the dot, but a domain is not, and loose words there are about the content.
        Some(Phase::FinalDot)
            if meaning.reason == Reason::BadDomain || meaning.rule == "unknown-user-loose" =>
        {
            return (block(meaning, Reason::Policy), Some("it is refused behind the dot"));
        }
        Some(_) | None => {}
    }
    if action == Some(Action::Delayed) {
        return (soft(meaning), Some("it is still being tried"));
    }
    let explicit = meaning.rule == "unknown-user" || meaning.rule == "mailbox-closed";
    if told.class() == Some(4) && !(explicit && told.codes.code.is_some()) {
        return (soft(meaning), Some("the code says that it may pass"));
    }
    let of_policy = told.status.is_some_and(|s| s.subject == 7);
    if of_policy && meaning.confidence < Confidence::High {
        let meaning = block(meaning, Reason::Policy);
        return (meaning, Some("the status speaks of policy, and the words are not clear"));
    }
    (meaning, None)
}

/// Status and words say different things about whose fault it is.
fn conflicts(meaning: &Meaning, told: &Told) -> bool {
    let Some(status) = told.status.filter(|s| codes::says_something(*s)) else { return false };
    let address = status.subject == 1 && !matches!(status.detail, 0 | 7 | 8);
    match meaning.kind {
        BounceKind::Hard => status.subject == 7 || status.class == 4,
        BounceKind::Soft | BounceKind::Block => address && status.class == 5,
        BounceKind::Complaint | BounceKind::AutoReply | BounceKind::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status field, diagnostic, and what must follow.
    #[track_caller]
    fn check(status: &str, diagnostic: &str, kind: BounceKind, reason: Reason, shown: &str) {
        let evidence = Evidence {
            status: Some(status).filter(|s| !s.is_empty()),
            diagnostic,
            action: Some(Action::Failed),
            ..Evidence::default()
        };
        let found = conclude(&evidence);
        let status = found.status.as_deref().unwrap_or("");
        assert_eq!(
            (found.kind, found.reason, status),
            (kind, reason, shown),
            "{diagnostic} by {}",
            found.rule
        );
    }

    #[test]
    fn a_dead_address_is_hard() {
        use {BounceKind::Hard, Reason::*};
        check("5.1.1", "550 5.1.1 <a@b.example>: User unknown", Hard, BadMailbox, "5.1.1");
        check("5.0.0", "550 No such user here", Hard, BadMailbox, "5.0.0");
        check("5.1.1", "", Hard, BadMailbox, "5.1.1");
        check(
            "5.7.1",
            "553 Invalid recipient a@b.example (Mode: normal)",
            Hard,
            BadMailbox,
            "5.7.1",
        );
        check(
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
            Hard,
            BadMailbox,
            "5.1.10",
        );
        check(
            "5.4.4",
            "X-Postfix; Host or domain name not found. Name service error for name=b.example type=A: Host not found",
            Hard,
            BadDomain,
            "5.4.4",
        );
    }

    #[test]
    fn what_is_ours_or_may_pass_is_not_hard() {
        use {BounceKind::*, Reason::*};
        check(
            "5.1.1",
            "550 5.7.1 IP address blacklisted by recipient",
            Block,
            ReputationBlock,
            "5.7.1",
        );
        check("5.1.8", "501 5.1.8 Sender address rejected", Block, SenderRefused, "5.1.8");
        check(
            "5.1.1",
            "550 <news@b.example>: User unknown (in reply to MAIL FROM command)",
            Block,
            SenderRefused,
            "5.1.1",
        );
        check("5.2.2", "550 5.2.2 <a@b.example>... Mailbox Full", Soft, MailboxFull, "5.2.2");
        check("5.1.1", "550 5.1.1 mailbox is over quota", Soft, MailboxFull, "5.1.1");
        check(
            "4.4.7",
            "450 4.7.1 Access denied. IP name lookup failed [192.0.2.222]",
            Block,
            NoPtr,
            "4.7.1",
        );
        check(
            "4.4.7",
            "554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>",
            Soft,
            Expired,
            "4.4.2",
        );
        check(
            "4.0.0",
            "DNS Error: 1 DNS type 'mx' lookup of b.example responded with code NXDOMAIN Domain name not found: b.example",
            Soft,
            BadDomain,
            "4.0.0",
        );
        check("5.0.0", "550 Mailbox is frozen.", Soft, MailboxDisabled, "5.0.0");
        check("", "", Soft, Unknown, "5.0.0");
    }

    #[test]
    fn a_comment_counts_where_nothing_else_is_said() {
        let check = |diagnostic: &str, reason: Reason| {
            let comment = "delivery not authorized, message refused";
            let evidence = Evidence { diagnostic, comment, ..Evidence::default() };
            assert_eq!(conclude(&evidence).reason, reason, "{diagnostic}");
        };
        check("554 5.7.1 Client host blocked using dnsbl.example", Reason::ReputationBlock);
        check("550 5.7.1", Reason::RecipientFilter);
    }
}
