//! A folder of its own for each test, and the binary run in it.

use crate::schemas;
use serde_json::Value;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A command that takes longer has a fault.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Folder(TempDir);

/// How a command ended.
pub struct Ran {
    pub line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(line: &str, output: &Output) -> Self {
        Self {
            line: line.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        let Self { line, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "postroad {line}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    /// Fails the test unless it said all of this, on stdout or stderr.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            let found = self.stdout.contains(part) || self.stderr.contains(part);
            let Self { line, stdout, stderr, .. } = &self;
            assert!(found, "postroad {line}\nsays no {part:?}\n{stdout}\n---\n{stderr}");
        }
        self
    }

    /// Its stdout as JSON; fails the test unless it is as docs/schemas says.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.parsed(&self.stdout)
    }

    /// Its stdout as lines of JSON; fails the test unless each is as docs/schemas says.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| self.parsed(line)).collect()
    }

    #[track_caller]
    fn parsed(&self, text: &str) -> Value {
        let value = serde_json::from_str(text).unwrap_or_else(|e| {
            panic!("postroad {}: {e}\n{}\n{}", self.line, self.stdout, self.stderr)
        });
        schemas::check(&self.line, &value);
        value
    }
}

impl Folder {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With what `init` writes.
    pub fn ready() -> Self {
        let folder = Self::empty();
        folder.run("init").ends(0);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Changes the configuration.
    pub fn edit(&self, from: &str, to: &str) -> &Self {
        let text = self.read("postroad.toml");
        assert!(text.contains(from), "postroad.toml has no {from:?}");
        self.write("postroad.toml", text.replacen(from, to, 1))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
        command.args(words).current_dir(self.root());
        command.env_remove("POSTROAD_CONFIG").env_remove("POSTROAD_LOG").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command line whose words hold no blanks.
    #[track_caller]
    pub fn run(&self, line: &str) -> Ran {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs words as they are.
    #[track_caller]
    pub fn run_words(&self, words: &[&str]) -> Ran {
        let child = Running::of(self.command(words).spawn().unwrap());
        Ran::of(&words.join(" "), &child.output())
    }

    /// Starts a command and lets it run.
    pub fn start(&self, line: &str) -> Running {
        let words: Vec<&str> = line.split_whitespace().collect();
        Running::of(self.command(&words).spawn().unwrap())
    }

    /// Starts a sink and gives its port.
    pub fn sink(&self, flags: &str) -> (Running, u16) {
        self.sink_words(&flags.split_whitespace().collect::<Vec<_>>())
    }

    /// The same with words as they are.
    pub fn sink_words(&self, flags: &[&str]) -> (Running, u16) {
        let words = ["--format", "json", "sink", "--listen", "127.0.0.1:0"];
        let words: Vec<&str> = words.iter().chain(flags).copied().collect();
        let mut sink = Running::of(self.command(&words).spawn().unwrap());
        let said: Value = serde_json::from_str(&sink.stdout_until("}")).unwrap();
        schemas::check("sink", &said);
        let port = said["listening"].as_str().unwrap().rsplit(':').next().unwrap();
        (sink, port.parse().unwrap())
    }
}

/// A process that dies with the test.
pub struct Running(Option<Child>);

impl Running {
    fn of(child: Child) -> Self {
        Self(Some(child))
    }

    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.0.as_ref().unwrap())
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.id(), signal).unwrap();
    }

    /// Reads stdout to the first line that has this in it.
    pub fn stdout_until(&mut self, end: &str) -> String {
        let out = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        lines_until(BufReader::with_capacity(1, out), end)
    }

    /// Reads stderr to the first line that has this in it.
    pub fn stderr_until(&mut self, end: &str) -> String {
        let err = self.0.as_mut().unwrap().stderr.as_mut().unwrap();
        lines_until(BufReader::with_capacity(1, err), end)
    }

    /// Waits for its end.
    pub fn output(mut self) -> Output {
        let mut child = self.0.take().unwrap();
        let watchdog = Watchdog::start(rustix::process::Pid::from_child(&child));
        let mut err = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            err.read_to_end(&mut text).unwrap();
            text
        });
        let output = child.wait_with_output().unwrap();
        drop(watchdog);
        Output { stderr: stderr.join().unwrap(), ..output }
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

fn lines_until(mut from: impl std::io::BufRead, end: &str) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let n = from.by_ref().read_line(&mut line).unwrap();
        assert!(n > 0, "it ended before it said {end:?}:\n{text}");
        text.push_str(&line);
        if line.contains(end) {
            return text;
        }
    }
}

/// Kills a process that hangs, so that the test fails instead of waiting for ever.
struct Watchdog(Option<std::sync::mpsc::Sender<()>>);

impl Watchdog {
    fn start(pid: rustix::process::Pid) -> Self {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        Self(Some(done))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
