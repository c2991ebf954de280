//! Runs each script of `tests/dialogues`.
//!
//! A script begins with the server's settings in TOML and a line `---`. Then `C:` lines are sent, those
//! that follow each other in one write; `R:` is sent raw (`\r \n \0` mean bytes, nothing is added); `S:`
//! is the line that must come back (`*` at its end stands for anything); CLOSED: the server has closed;
//! CONNECT: a new connection; CLOCK n: n milliseconds pass; ACCEPTED and RCPT: the next record of that
//! kind, `from -> rcpts [message-id]` and `rcpt code`.

use std::{path::Path, sync::Arc};

use postroad_smtpd::{
    Account, Behaviour, Kind, Limits, Logins, Mechanism, Protocol, ServerSettings,
};
use tokio::net::TcpStream;

use crate::client::{Client, Sink, Time};

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Script {
    protocol: Protocol,
    behaviour: Behaviour,
    limits: Limits,
    mechanisms: Vec<Mechanism>,
    accounts: Vec<Account>,
}

impl Script {
    fn settings(self, time: &Time) -> ServerSettings {
        let logins = if self.mechanisms.is_empty() {
            Logins::Off
        } else {
            Logins::Required(self.mechanisms, self.accounts)
        };
        ServerSettings {
            protocol: self.protocol,
            logins,
            limits: self.limits,
            behaviour: Arc::new(self.behaviour),
            ..time.settings()
        }
    }
}

struct Run {
    time: Time,
    sink: Sink,
    client: Client<TcpStream>,
    pending: Vec<u8>,
    accepted: usize,
    rcpts: usize,
}

impl Run {
    async fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if !matches!(word, "C:" | "R:") && !self.pending.is_empty() {
            self.client.send(std::mem::take(&mut self.pending)).await;
        }
        match word {
            "C:" => self.pending.extend_from_slice(format!("{rest}\r\n").as_bytes()),
            "R:" => {
                let raw = rest.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0");
                self.pending.extend_from_slice(raw.as_bytes());
            }
            "S:" => {
                let got = self.client.line().await.unwrap_or_else(|end| format!("({end})"));
                let fits = match rest.strip_suffix('*') {
                    Some(begin) => got.starts_with(begin),
                    None => got == rest,
                };
                if !fits {
                    return Err(format!("got `{got}`"));
                }
            }
            "CLOSED" => {
                if let Ok(line) = self.client.line().await {
                    return Err(format!("got `{line}`"));
                }
            }
            "CONNECT" => self.client = self.sink.client().await,
            "CLOCK" => self.time.forward(rest.parse().unwrap()),
            "ACCEPTED" => self.accepted(rest)?,
            "RCPT" => self.rcpt(rest)?,
            _ => return Err("no such word".to_owned()),
        }
        Ok(())
    }

    fn accepted(&mut self, expected: &str) -> Result<(), String> {
        let all = self.sink.memory.of(Kind::Accepted);
        let got = all.get(self.accepted).map_or("none".to_owned(), |r| {
            let id = r.message_id.as_ref().map_or(String::new(), |id| format!(" {id}"));
            format!("{} -> {}{id}", r.mail_from, r.rcpts.join(","))
        });
        self.accepted += 1;
        if got == expected { Ok(()) } else { Err(format!("got `{got}`")) }
    }

    fn rcpt(&mut self, expected: &str) -> Result<(), String> {
        let all = self.sink.memory.of(Kind::Rcpt);
        let got = all.get(self.rcpts).map_or("none".to_owned(), |r| {
            format!("{} {}", r.rcpts.join(","), r.reply_code().unwrap())
        });
        self.rcpts += 1;
        if got == expected { Ok(()) } else { Err(format!("got `{got}`")) }
    }
}

async fn run(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let (head, body) = text.split_once("---\n").expect("a script has a line `---`");
    let script: Script =
        toml::from_str(head).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let time = Time::default();
    let sink = Sink::start(script.settings(&time)).await;
    let client = sink.client().await;
    let mut run = Run { time, sink, client, pending: Vec::new(), accepted: 0, rcpts: 0 };
    let first = head.lines().count() + 2;
    for (number, line) in body.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(problem) = run.line(line).await {
            panic!("{}:{}: `{line}`: {problem}", path.display(), first + number);
        }
    }
    assert!(run.pending.is_empty(), "{}: what is sent last is never answered", path.display());
    let all = run.sink.memory.of(Kind::Accepted).len();
    assert_eq!(run.accepted, all, "{}: acceptances told", path.display());
}

#[tokio::test]
async fn every_dialogue_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut scripts: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() > 10);
    for script in scripts {
        run(&script).await;
    }
}
