//! Tests of reading a campaign's description.

use super::*;
use crate::RawShare;

fn defaults() -> Defaults {
    Defaults { zone: Zone::utc(), on_unknown: OnUnknown::Hold }
}

fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("body.html"), "<p>x</p>").unwrap();
    let error = match parse("campaign.toml", text) {
        Err(e) => e,
        Ok(spec) => match spec.settings(folder.path(), &defaults()) {
            Ok(_) => return "fine".into(),
            Err(e) => e,
        },
    };
    error.to_string()
}

fn check(text: &str, parts: &[&str]) {
    let got = problems(text);
    for part in parts {
        assert!(got.contains(part), "{text}\n  gives {got}\n  not   {part}");
    }
}

const GOOD: &str = "lists = ['all']\nfrom = 'A <a@example.com>'\nsubject = 's'\ntemplate = 'body.html'\npool = 'p'\n";

#[test]
fn a_campaign_is_read_with_all_its_faults_at_once() {
    check(GOOD, &["fine"]);
    check(
        "",
        &["lists: names no list", "from: is missing", "template: is missing", "pool: is missing"],
    );
    check("subjekt = 's'", &["campaign.toml:1: unknown key subjekt; did you mean subject?"]);
    check(
        "lists = ['all']\nlist = 'x'",
        &["campaign.toml:2: unknown key list; did you mean lists?"],
    );
    check("lists = 'all'", &["campaign.toml:1"]);
    check(&format!("{GOOD}zone = 'Asia/Hanoi2'\nwindow = 'mon 9'"), &["zone: ", "window: "]);
    check(&format!("{GOOD}filter = 'age >'"), &["filter: column"]);
    check(&format!("{GOOD}expires = 'soon'"), &["expires: "]);
    check(&format!("{GOOD}on_unknown = {{ resend = 1 }}"), &["on_unknown: write"]);
    check(&format!("{GOOD}canary = {{ share = '1%' }}"), &["fine"]);
    check(
        &format!("{GOOD}canary = {{ share = 2, wait = '1s' }}"),
        &["canary.share: write", "canary.wait"],
    );
    check(
        &format!("{GOOD}canary = {{ shar = 2 }}"),
        &["unknown key shar of canary; the keys are share, wait"],
    );
    check(&format!("{GOOD}locale = 'xx'"), &["locale: \"xx\" is not known"]);
    check(&GOOD.replace("body.html", "nix.html"), &["template: cannot read"]);
    check(&GOOD.replace("body.html", "body.doc"), &["must end in .mjml"]);
}

#[test]
fn flags_win_over_the_file() {
    let file = parse("campaign.toml", GOOD).unwrap();
    let flags =
        RawSpec { subject: Some("other".into()), lists: vec!["b".into()], ..RawSpec::default() };
    let both = file.overridden_by(flags);
    let tracked = |text: &str| parse("c", text).unwrap().track_opens;
    assert_eq!((both.track_opens, tracked("track_opens = true")), (None, Some(true)));
    let canary = |text: &str| parse("campaign.toml", text).unwrap();
    let written = canary("canary = { share = 0.2, wait = '1h' }");
    let raw = written.overridden_by(canary("canary = { wait = '2h' }")).canary.unwrap();
    assert_eq!((raw.share, raw.wait.as_deref()), (Some(RawShare::Number(0.2)), Some("2h")));
    assert_eq!(
        (both.subject.as_deref(), both.lists, both.pool.as_deref()),
        (Some("other"), vec!["b".into()], Some("p"))
    );
}

#[test]
fn every_key_is_known_to_the_hints() {
    let empty = toml::from_str::<RawSpec>("nix = 1").unwrap_err();
    for key in KEYS {
        assert!(empty.message().contains(&format!("`{key}`")), "{key} is no key: {empty}");
    }
    assert_eq!(empty.message().matches('`').count() / 2 - 1, KEYS.len(), "{empty}");
}
