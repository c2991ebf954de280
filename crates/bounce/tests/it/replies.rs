//! Replies as servers write them, and what they mean here: `golden/replies.txt` has one line each.

use postroad_bounce::classify_reply;
use postroad_model::relay::{ReplyMeaning, ReplyRule};
use postroad_model::reply::Phase;
use postroad_model::verdict::{Disposition, Verdict};
use postroad_model::{EnhancedStatus, MailboxProvider, Reply};
use proptest::prelude::*;

fn word(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

/// `scope reason kind disposition`, as the enums are named.
fn in_short(v: &Verdict) -> String {
    let (scope, reason, kind) = (word(&v.scope), word(&v.reason), word(&v.kind));
    let what = match &v.disposition {
        Disposition::PauseLane { seconds } => format!("PauseLane({seconds})"),
        Disposition::QuotaFull { limit } => {
            format!("QuotaFull({})", limit.as_deref().unwrap_or(""))
        }
        Disposition::Accept
        | Disposition::Defer
        | Disposition::Reject
        | Disposition::BlockRow
        | Disposition::Reconnect
        | Disposition::StopLane
        | Disposition::Unknown
        | Disposition::FailMessage => word(&v.disposition),
    };
    format!("{scope} {reason} {kind} {what}")
}

fn read(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap_or((line, ""));
    Reply::new(code.parse().expect("a test's line begins with a code"), text)
}

fn phase(word: &str) -> Phase {
    match word {
        "greeting" => Phase::Greeting,
        "ehlo" => Phase::Ehlo,
        "start_tls" => Phase::StartTls,
        "auth" => Phase::Auth,
        "mail_from" => Phase::MailFrom,
        "rcpt_to" => Phase::RcptTo,
        "data" => Phase::Data,
        "final_dot" => Phase::FinalDot,
        other => panic!("no phase {other:?}"),
    }
}

/// One line of the table: `phase provider reply => verdict`; tells what is wrong with it.
fn check(line: &str) -> Option<String> {
    let (asked, expected) = line.split_once(" => ").expect("a line has =>");
    let mut words = asked.splitn(3, ' ');
    let mut word = || words.next().expect("a line has phase, provider and reply");
    let (phase, provider, reply) = (phase(word()), MailboxProvider::from_name(word()), word());
    let provider = provider.expect("a provider's name");
    let verdict = classify_reply(&read(reply), phase, provider, &[]);
    let got = in_short(&verdict);
    (got != expected).then(|| format!("{line}\n    but got {got} by rule {}", verdict.rule))
}

#[test]
fn replies_mean_what_the_table_says() {
    let table = include_str!("../golden/replies.txt");
    let lines: Vec<&str> = table.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    assert!(lines.len() > 150, "the table shrank to {} lines", lines.len());
    let wrong: Vec<String> = lines.into_iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_reply_leaves_a_row_unknown_after_the_dot_and_closes_the_connection_before_it() {
    for code in [0, 1, 199, 354, 600, 999] {
        let verdict =
            |phase| classify_reply(&Reply::new(code, "x"), phase, MailboxProvider::Other, &[]);
        assert_eq!(verdict(Phase::FinalDot).disposition, Disposition::Unknown, "{code}");
        assert_eq!(verdict(Phase::RcptTo).disposition, Disposition::Reconnect, "{code}");
    }
    let early = classify_reply(&Reply::new(250, "ok"), Phase::Data, MailboxProvider::Other, &[]);
    assert_eq!(early.disposition, Disposition::Reconnect, "250 where 354 belongs takes nothing");
}

fn rule(
    code: Option<u16>,
    enhanced: Option<&str>,
    text: Option<&str>,
    means: ReplyMeaning,
) -> ReplyRule {
    ReplyRule {
        code,
        enhanced: enhanced.and_then(EnhancedStatus::parse),
        text: text.map(str::to_owned),
        means,
        limit: None,
        pause_seconds: None,
    }
}

#[test]
fn a_relays_profile_is_asked_before_the_table() {
    let mut quota = rule(None, Some("5.4.5"), None, ReplyMeaning::Quota);
    quota.limit = Some("day".into());
    let mut rest = rule(Some(554), None, Some("Suspicion of SPAM"), ReplyMeaning::Block);
    rest.pause_seconds = Some(90_000);
    let profile = [
        quota,
        rest,
        rule(None, None, Some("not verified"), ReplyMeaning::Block),
        rule(None, None, Some("per account"), ReplyMeaning::Connection),
        rule(None, None, Some("too fast"), ReplyMeaning::Throttle),
        rule(Some(534), None, None, ReplyMeaning::Login),
        rule(None, None, Some("verified sender"), ReplyMeaning::Sender),
        rule(None, None, Some("suppressed"), ReplyMeaning::Suppressed),
        rule(None, None, None, ReplyMeaning::Block),
    ];
    let check = |phase, line: &str, expected: &str| {
        let verdict = classify_reply(&read(line), phase, MailboxProvider::Google, &profile);
        assert_eq!(in_short(&verdict), expected, "{line}");
        assert!(verdict.rule.starts_with("profile-"), "{line}: {}", verdict.rule);
    };
    check(
        Phase::FinalDot,
        "550 5.4.5 Daily user sending limit",
        "Account Quota Other QuotaFull(day)",
    );
    check(
        Phase::FinalDot,
        "554 5.7.1 under suspicion\nof spam",
        "Account AccountBlocked Block PauseLane(90000)",
    );
    check(
        Phase::FinalDot,
        "554 Email address is not verified",
        "Account AccountBlocked Block StopLane",
    );
    check(
        Phase::Auth,
        "535 5.7.8 Too many connections per account",
        "Connection ServiceUnavailable Other Reconnect",
    );
    check(Phase::RcptTo, "550 Too  Fast", "Account RateLimited Other PauseLane(60)");
    check(Phase::Auth, "534 5.7.9 x", "Account Login Other StopLane");
    check(Phase::MailFrom, "550 verified sender", "Sender SenderRefused Block PauseLane(900)");
    check(Phase::RcptTo, "550 suppressed", "Recipient SuppressedUpstream Hard Reject");
    let other =
        classify_reply(&read("550 5.1.1 x"), Phase::RcptTo, MailboxProvider::Google, &profile);
    assert_eq!(other.rule, "unknown-user", "a rule without a condition matches nothing");
}

#[test]
fn a_text_that_is_broken_over_lines_or_written_in_capitals_means_the_same() {
    let check = |text: &str| {
        let verdict =
            classify_reply(&Reply::new(550, text), Phase::FinalDot, MailboxProvider::Google, &[]);
        assert_eq!(verdict.rule, "sending-quota", "{text:?}");
    };
    check("5.4.5 Daily user\n5.4.5 sending limit exceeded.");
    check("DAILY USER   SENDING LIMIT EXCEEDED");
}

proptest! {
    #[test]
    fn no_reply_makes_it_panic_and_none_before_mail_from_decides_a_row(
        code in 0_u16..1000,
        text in "(?s).{0,200}",
        phase in 0_usize..10,
        provider in 0_i64..24,
    ) {
        let phases = [
            Phase::Connect, Phase::Greeting, Phase::Ehlo, Phase::StartTls, Phase::Auth, Phase::MailFrom,
            Phase::RcptTo, Phase::Data, Phase::Body, Phase::FinalDot,
        ];
        let phase = phases[phase];
        let provider = MailboxProvider::from_code(provider).expect("0 to 23 are codes");
        let verdict = classify_reply(&Reply::new(code, &text), phase, provider, &[]);
        if phase.before_transaction() {
            prop_assert!(!matches!(
                verdict.disposition,
                Disposition::Accept | Disposition::Reject | Disposition::Defer | Disposition::BlockRow
                    | Disposition::FailMessage | Disposition::Unknown
            ));
        }
        if verdict.disposition == Disposition::Accept {
            prop_assert!(phase == Phase::FinalDot && (200..300).contains(&code));
        }
    }
}
