//! A canary over seeds in a real Dovecot behind a real Postfix, held, looked at and let go as its operator would.

use crate::folder::Folder;
use crate::seeds::{FILING, Seed, seeded};
use postroad_testkit::dovecot;
use serde_json::json;
use std::time::{Duration, Instant};

/// One mailbox at a provider that takes the mail, eight at one that files it to Junk.
const SEEDS: [Seed<'static>; 9] = [
    ("g", "seed@g.test", "google"),
    ("y1", "one@y.test", "yahoo"),
    ("y2", "two@y.test", "yahoo"),
    ("y3", "three@y.test", "yahoo"),
    ("y4", "four@y.test", "yahoo"),
    ("y5", "five@y.test", "yahoo"),
    ("y6", "six@y.test", "yahoo"),
    ("y7", "seven@y.test", "yahoo"),
    ("y8", "eight@y.test", "yahoo"),
];

/// Looks until this many copies were found.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process ends some time"
)]
fn found(folder: &Folder, copies: i64) {
    let begun = Instant::now();
    loop {
        let looked = folder.run("--format json seed report --campaign hello --look").ends(0).json();
        let places = &looked["inbox"]["copies"];
        let of = |place: &str| places[place].as_i64().unwrap_or(0);
        if of("inbox") + of("spam") == copies {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "not found: {looked}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_canary_in_junk_holds_the_campaign_until_its_operator_lets_it_go() {
    let Some(dovecot) = dovecot::spawn_sieve(FILING) else { return };
    let Some((folder, _sinks, _postfix, _sink)) = seeded(&dovecot, &SEEDS) else { return };
    folder.run("campaign schedule hello --canary-share 50% --canary-wait 30m").ends(0);
    let run = folder.start("campaign run hello");
    found(&folder, 10);
    let ended = run.output();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(75), "{stderr}");
    let why = "inbox 20 % of 10 copies (6 to 51 %): min_inbox is 80 %";
    assert!(stderr.contains("held by its canary") && stderr.contains(why), "{stderr}");
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!((&report["state"], &report["canary"]["decided"]), (&json!("held"), &json!("held")));
    assert_eq!(report["accepted"], report["canary"]["people"], "the share and no more: {report}");
    folder.run("campaign status hello").ends(0).says(&[why, "campaign resume hello --anyway"]);
    folder.run("relay list").ends(0).says(&["not to yahoo until", "inbox 0 % of 4 copies"]);
    folder.run("top --once").ends(0).says(&[
        "campaign hello is held",
        "braked",
        "inbox about 20 % (6 to 51 %) of 10 copies",
    ]);
    folder.run("campaign run hello").ends(65).says(&["--anyway"]);
    folder.run("campaign resume hello").ends(65).says(&[why, "--anyway"]);
    folder.run("campaign resume hello --anyway --reason looked").ends(0);
    folder.run("campaign run hello").ends(0);
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!((&report["accepted"], &report["imbalance"]), (&json!(10), &json!(0)), "{report}");
    assert_eq!(report["canary"]["decided"], "waived", "{report}");
    folder.run("campaign report hello --html -").ends(0).says(&["svg class=\"interval\"", "20 %"]);
    // Both relays are braked for that provider alone; the operator lifts it.
    folder.run("relay resume one").ends(0).says(&["1 brakes for mailbox providers are lifted"]);
}
