//! Limits: syntax, whose number wins, needs, reserve and groups.

use super::{check as fails, loads};
use postroad_model::limit::Keeper;

fn relay(profile: &str, rest: &str) -> String {
    let credentials =
        "username = \"u@gmail.com\"\npassword = { env = \"P\" }\nsend_as = [\"example.com\"]\n";
    let host = "host = \"mail.example.com\"\n";
    format!("[[relay]]\nname = \"r\"\nprofile = \"{profile}\"\n{host}{credentials}{rest}")
}

/// The effective limits in short: `name amount per unit keeper`.
#[track_caller]
fn effective(text: &str, expected: &[&str]) {
    let config = loads(text);
    let rows: Vec<String> = config
        .limits
        .iter()
        .map(|r| {
            let l = &r.limit;
            let keeper = if l.keeper == Keeper::Ledger { "ledger" } else { "pacer" };
            let unit = format!("{:?}", l.unit).to_lowercase();
            format!("{} {} {} {unit} {keeper}", l.name, l.amount, l.window)
        })
        .collect();
    assert_eq!(rows, expected, "{text}");
}

#[test]
fn the_syntax_of_limits_gives_window_unit_name_and_keeper() {
    let check = |limit: &str, expected: &str| {
        effective(
            &relay("generic", &format!("limits = [{limit}, {{ amount = 7, per = \"3h\" }}]\n")),
            &[expected, "3h 7 3h recipients ledger"],
        );
    };
    check("{ amount = 500, per = \"24h\" }", "day 500 24h recipients ledger");
    check("{ amount = 5, per = \"1s\", unit = \"messages\" }", "second 5 1s messages pacer");
    check("{ amount = 5, per = \"10m\" }", "10m 5 10m recipients ledger");
    check("{ amount = 5, per = \"9m\" }", "9m 5 9m recipients pacer");
    check("{ amount = 5, per = \"1m\", keeper = \"ledger\" }", "minute 5 1m recipients ledger");
    check(
        "{ amount = 5, per = \"month\", zone = \"UTC\" }",
        "month 5 month in UTC recipients ledger",
    );
    check(
        "{ amount = 5, per = \"day\", zone = \"Asia/Ho_Chi_Minh\", name = \"plan\" }",
        "plan 5 day in Asia/Ho_Chi_Minh recipients ledger",
    );
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let check = |limit: &str, key: &str, words: &str| {
        fails(
            &relay("generic", &format!("limits = [{limit}]\n")),
            &format!("relay[r].limits{key}"),
            words,
        );
    };
    check("{ per = \"24h\" }", "[0].amount", "is missing");
    check("{ amount = 0, per = \"24h\" }", "[0].amount", "between 1");
    check("{ amount = 1 }", "[0].per", "is missing");
    check("{ amount = 1, per = \"dya\" }", "[0].per", "did you mean \"day\"?");
    check("{ amount = 1, per = \"500ms\" }", "[0].per", "between 1s");
    check("{ amount = 1, per = \"day\" }", "[0].zone", "is missing");
    check("{ amount = 1, per = \"day\", zone = \"Mars/Base\" }", "[0].zone", "no time zone");
    check("{ amount = 1, per = \"24h\", zone = \"UTC\" }", "[0].zone", "a length rolls");
    check("{ amount = 1, per = \"24h\", unit = \"mails\" }", "[0].unit", "known");
    check(
        "{ amount = 1, per = \"24h\", keeper = \"pacer\" }",
        "[0].keeper",
        "forgets at a restart",
    );
    check(
        "{ amount = 1, per = \"24h\" }, { amount = 2, per = \"24h\" }",
        "[1].name",
        "a second limit named",
    );
    fails(&relay("generic", "limits = []\n"), "relay[r].limits", "empty list");
    fails(&relay("generic", "limits = \"nome\"\n"), "relay[r].limits", "a list or \"none\"");
}

#[test]
fn the_operators_number_wins_over_the_profiles_of_the_same_name_or_window() {
    effective(&relay("gmail", ""), &["day 500 24h recipients ledger"]);
    effective(
        &relay("gmail", "limits = [{ amount = 100, per = \"24h\" }]\n"),
        &["day 100 24h recipients ledger"],
    );
    effective(
        &relay("gmail", "limits = [{ amount = 90, per = \"24h\", name = \"mine\" }]\n"),
        &["day 90 24h recipients ledger"],
    );
    effective(
        &relay("gmail", "limits = [{ amount = 80, per = \"day\", zone = \"UTC\" }]\n"),
        &["day 80 day in UTC recipients ledger"],
    );
    effective(
        &relay("gmail", "limits = [{ amount = 20, per = \"1h\" }]\n"),
        &["day 500 24h recipients ledger", "hour 20 1h recipients ledger"],
    );
    let config = loads(&relay("gmail", "limits = [{ amount = 2000, per = \"24h\" }]\n"));
    assert!(
        config.warnings.iter().any(|w| w.message.contains("more than the 500")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn an_unknown_limit_is_refused_with_the_question_to_ask() {
    let check = |profile: &str, limits: &str, words: &str| {
        fails(&relay(profile, limits), "relay[r].limits", words);
    };
    check("ses", "", "how many a day and how many a second");
    check("ses", "", "24 h sending quota");
    check("ses", "limits = [{ amount = 5, per = \"24h\" }]\n", "not known: how many a second");
    check("ses", "limits = [{ amount = 5, per = \"1s\" }]\n", "not known: how many a day");
    check("generic", "", "Ask any SMTP server");
    check("smtp2go", "", "how many the plan allows");
    check("resend", "limits = [{ amount = 9, per = \"1s\" }]\n", "how many the plan allows");
    check("zoho", "limits = [{ amount = 9, per = \"1h\" }]\n", "how many a day");
    effective(
        &relay("resend", "limits = [{ amount = 100, per = \"day\", zone = \"UTC\" }]\n"),
        &["second 5 1s messages pacer", "day 100 day in UTC recipients ledger"],
    );
}

#[test]
fn none_is_believed_only_where_the_operator_may_have_none() {
    effective(&relay("generic", "limits = \"none\"\n"), &[]);
    for profile in ["gmail", "ses", "sendgrid", "yahoo"] {
        fails(&relay(profile, "limits = \"none\"\n"), "relay[r].limits", "has limits");
    }
}

#[test]
fn the_reserve_is_taken_off_every_limit_of_the_ledger_and_may_not_eat_it() {
    effective(
        &relay("gmail", "reserve = 50\nlimits = [{ amount = 5, per = \"1s\" }]\n"),
        &["day 450 24h recipients ledger", "second 5 1s recipients pacer"],
    );
    fails(&relay("gmail", "reserve = 500\n"), "relay[r].reserve", "nothing is left");
    fails(&relay("generic", "limits = \"none\"\nreserve = 5\n"), "relay[r].reserve", "no limit");
}

fn pair(a: &str, b: &str) -> String {
    let one = |name: &str, rest: &str| relay("ses", rest).replace("\"r\"", &format!("\"{name}\""));
    let (a, b) = (one("a", a), one("b", b).replace("u@gmail.com", "v@gmail.com"));
    format!("{a}{b}")
}

const NUMBERS: &str = "limits = [{ amount = 50, per = \"24h\" }, { amount = 2, per = \"1s\" }]\n";
const OTHERS: &str = "limits = [{ amount = 60, per = \"24h\" }, { amount = 2, per = \"1s\" }]\n";
const GROUP: &str = "quota_group = \"g\"\n";

#[test]
fn relays_of_a_group_share_limits_that_stand_once_and_may_not_differ() {
    let config = loads(&pair(&format!("{GROUP}{NUMBERS}"), &format!("{GROUP}reserve = 10\n")));
    assert_eq!(config.relays[0].limits, config.relays[1].limits);
    assert_eq!(config.relays[0].limits[0].amount, 40, "the reserve is the group's");
    assert_eq!(config.limits.len(), 2);
    assert_eq!(config.limits[0].relays, ["a", "b"]);
    assert_eq!((config.limits[0].scope.as_str(), config.limits[0].stated), ("group:g", 50));
    fails(
        &pair(&format!("{GROUP}{NUMBERS}"), &format!("{GROUP}{OTHERS}")),
        "relay[b].limits",
        "differ from",
    );
    let reserve = |n: u8| format!("{GROUP}{NUMBERS}reserve = {n}\n");
    fails(&pair(&reserve(1), &reserve(2)), "reserve", "different parts");
    let mixed = pair(&format!("{GROUP}{NUMBERS}"), GROUP).replacen("\"ses\"", "\"mailgun\"", 1);
    fails(&mixed, "relay[b].quota_group", "one account has one operator");
}

#[test]
fn one_account_may_not_be_counted_in_two_scopes() {
    let same = pair(NUMBERS, NUMBERS).replace("v@gmail.com", "u@gmail.com");
    fails(&same, "relay[b].quota_group", "the same account");
    let grouped = pair(&format!("{GROUP}{NUMBERS}"), &format!("{GROUP}{NUMBERS}"));
    loads(&grouped.replace("v@gmail.com", "u@gmail.com"));
    let config = loads(&pair(NUMBERS, NUMBERS));
    assert!(
        config.warnings.iter().any(|w| w.key == "relay[b].quota_group"),
        "{:?}",
        config.warnings
    );
    let loopback = same.replace("\"mail.example.com\"\n", "\"127.0.0.1\"\nport = 2501\n");
    let loopback = loopback.replacen("2501", "2502", 1);
    loads(&loopback);
}

#[test]
fn a_reply_rule_speaks_only_of_limits_that_the_relay_has() {
    let config = loads(&relay("ses", NUMBERS));
    let limit_of = |text: &str, config: &postroad_config::Config| {
        let rules = &config.relays[0].reply_rules;
        rules
            .iter()
            .find(|r| r.text.as_deref().is_some_and(|t| t.contains(text)))
            .unwrap()
            .limit
            .clone()
    };
    assert_eq!(limit_of("daily message quota", &config).as_deref(), Some("day"));
    let named = NUMBERS.replace("per = \"24h\"", "per = \"24h\", name = \"quota\"");
    assert_eq!(limit_of("daily message quota", &loads(&relay("ses", &named))), None);
}
