//! A real Prometheus that scrapes what a test publishes, and answers queries about it.
//!
//! It gets a configuration file and its neighbours from the test, in a folder of its own, and runs as nobody special.

use crate::daemon::Daemon;
use crate::loopback;
use crate::program::{find, give_to, unprivileged};
use crate::skip::skip;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// How often [`Prometheus::without_data`] asks, in the steps of [`Daemon::wait_until`].
const ROUNDS: u32 = 400;

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    daemon: Daemon,
    _folder: TempDir,
}

/// Starts one with these files, the first of them its configuration; `None` after saying `SKIPPED` when it is not
/// installed. Names are relative: `("prometheus.yml", text)`.
///
/// # Panics
/// When it does not start, and where skips are failures.
#[must_use]
pub fn spawn(files: &[(&str, &str)]) -> Option<Prometheus> {
    let Some(program) = find("prometheus") else {
        skip("no prometheus here; run: apt-get install prometheus");
        return None;
    };
    let account = unprivileged(&["prometheus", "nobody"]);
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    give_to(folder.path(), account);
    let write = |(name, text): &(&str, &str)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        give_to(&path, account);
    };
    files.iter().for_each(write);
    let address = loopback::address();
    let mut command = Command::new(program);
    let file = |name: &str| folder.path().join(name).display().to_string();
    command
        .arg(format!("--config.file={}", file(files.first().map_or("prometheus.yml", |f| f.0))))
        .arg(format!("--storage.tsdb.path={}", file("data")))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn")
        .current_dir(folder.path());
    let mut daemon = Daemon::spawn_as(&command, account);
    daemon.wait_until(|| get(address, "/-/ready").is_some_and(|(status, _)| status == 200));
    Some(Prometheus { address, daemon, _folder: folder })
}

impl Prometheus {
    /// The series of an instant query now, each with its labels and `value`.
    ///
    /// # Panics
    /// When it does not answer, or with an error.
    #[must_use]
    pub fn query(&self, expression: &str) -> Vec<Value> {
        ask(self.address, expression)
    }

    /// Asks until every query has a series with a number in it; gives those that have none after about 20 s.
    ///
    /// # Panics
    /// As [`Prometheus::query`], and when it ends meanwhile.
    #[must_use]
    pub fn without_data(&mut self, queries: &[String]) -> Vec<String> {
        let mut waiting = queries.to_vec();
        let mut rounds = 0;
        let address = self.address;
        self.daemon.wait_until(|| {
            waiting.retain(|query| !has_number(&ask(address, query)));
            rounds += 1;
            waiting.is_empty() || rounds > ROUNDS
        });
        waiting
    }
}

fn ask(address: SocketAddr, expression: &str) -> Vec<Value> {
    let (status, body) = get(address, &format!("/api/v1/query?query={}", encoded(expression)))
        .unwrap_or_else(|| panic!("Prometheus at {address} does not answer"));
    assert_eq!(status, 200, "{expression}\n{body}");
    let answer: Value = serde_json::from_str(&body).expect("Prometheus answers in JSON");
    answer["data"]["result"].as_array().cloned().unwrap_or_default()
}

fn has_number(result: &[Value]) -> bool {
    result.iter().any(|series| series["value"][1].as_str().is_some_and(|v| v != "NaN"))
}

/// `None` when nothing answers. HTTP/1.0, so that the body ends with the connection and is not chunked.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

fn encoded(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(byte).collect()
}

/// Runs `promtool` in a folder and gives its output, which is empty of complaints; `None` after saying `SKIPPED`.
///
/// # Panics
/// When promtool is not content, and where skips are failures.
#[must_use]
pub fn promtool(folder: &Path, arguments: &[&str]) -> Option<String> {
    let Some(program) = find("promtool") else {
        skip("no promtool here; run: apt-get install prometheus");
        return None;
    };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("promtool can be started");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {}: {said}", arguments.join(" "));
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_queries_with_every_sign_in_them() {
        let config = "scrape_configs: []\n";
        let Some(prometheus) = spawn(&[("prometheus.yml", config)]) else { return };
        let answer = prometheus.query(r#"vector(1 + 1) or up{job=~"a&b=c+d"}"#);
        assert_eq!(answer[0]["value"][1].as_str(), Some("2"), "{answer:?}");
    }
}
