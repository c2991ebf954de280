//! `top` and `campaign report --html`: the same figures in a terminal, in a pipe and as a page.

use crate::campaigns::folder_with;
use crate::folder::Folder;
use std::process::{Command, Stdio};

/// A campaign of forty that is over.
fn sent() -> (Folder, Folder) {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink("--record a.jsonl");
    let folder = folder_with(40, &[("one", port, "[{ amount = 100, per = \"24h\" }]")]);
    folder.run("campaign schedule hello --canary-share 10% --canary-wait 1m").ends(0);
    folder.run("campaign run hello").ends(0);
    (sinks, folder)
}

#[test]
fn a_glance_shows_campaigns_relays_and_trouble_as_text_and_json() {
    let (_sinks, folder) = sent();
    let text = folder.run("top --once").ends(0).stdout;
    for part in [
        "hello                  finished  [████████████████████] 100 %  40 of 40 accepted\n",
        "canary the canary has 0 seeds; fewer than 4 prove nothing",
        "one                    free      [████████············]  40 %  40 of 100 in 24h\n",
        "RECENT TROUBLE\n  none\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    // A pipe is no terminal, with or without --once.
    let piped = folder.run("top").ends(0).stdout;
    let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&piped), rest(&text));
    folder.run("relay pause one --reason because").ends(0);
    let json = folder.run("--format json top").ends(0).json();
    assert_eq!(json["campaigns"][0]["canary"]["decided"], "warned", "{json}");
    assert_eq!(
        json["relays"].as_array().unwrap().iter().filter(|r| r["relay"] == "one").count(),
        1
    );
    let trouble = json["trouble"][0]["what"].as_str().unwrap();
    assert!(trouble.contains("relay one is paused") && trouble.contains("because"), "{trouble}");
}

#[test]
fn a_report_is_written_as_a_page() {
    let (_sinks, folder) = sent();
    folder
        .run("campaign report hello --html report.html")
        .ends(0)
        .says(&["report.html is written"]);
    let page = folder.read("report.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("The sum is right: 40 = 40") && page.contains("svg class=\"columns\""));
    let stdout = folder.run("campaign report hello --html - --lang vi").ends(0).stdout;
    assert!(stdout.contains("Tổng khớp: 40 = 40"), "{stdout}");
    folder
        .run("campaign report hello --html nowhere/report.html")
        .ends(66)
        .says(&["cannot write nowhere"]);
    folder.run("campaign report hello --lang vi").ends(64);
}

/// On a terminal (util-linux' `script` makes one) it takes the whole screen and gives it back, whatever ends it.
#[test]
fn a_terminal_is_given_back_after_a_signal() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        postroad_testkit::skip("the program script is not there");
        return;
    }
    let folder = Folder::ready();
    let binary = env!("CARGO_BIN_EXE_postroad");
    // The shell waits until the screen is drawn, ends top, and the file holds what the terminal got. The brackets keep the
    // pattern from finding itself in the file's first line.
    let line = format!(
        "stty rows 40 cols 100; {binary} top & top=$!; for i in $(seq 600); do grep -q '[q]uits' typescript && break; sleep 0.1; done; \
         kill -TERM $top; wait $top; echo ended with $?"
    );
    let mut child = Command::new("timeout")
        .args(["100", "script", "-qfec", &line, "typescript"])
        .current_dir(folder.root())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ended = child.wait().unwrap();
    let seen = folder.read("typescript");
    assert!(ended.success(), "{seen}");
    let (entered, left) = (seen.find("\u{1b}[?1049h"), seen.rfind("\u{1b}[?1049l"));
    assert!(entered.is_some() && left > entered, "{seen:?}");
    assert!(seen.contains("quits") && seen[left.unwrap()..].contains("ended with 0"), "{seen:?}");
}
