//! A daemon that lives no longer than the test: killed on drop, and by the kernel when the test process dies.
//!
//! `setpriv --pdeathsig` asks the kernel for that without unsafe code. The kernel watches the thread that started
//! the child, so all are started by one thread that lasts as long as the process. When the test panics, the end of
//! the daemon's log is shown.

use crate::program::Account;
use std::fs::File;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use tempfile::NamedTempFile;

/// How long [`Daemon::wait_until`] waits.
const READY_TRIES: u32 = 600;
const READY_STEP: Duration = Duration::from_millis(50);

/// A running child process.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: NamedTempFile,
}

impl Daemon {
    /// Starts a program with its output in a log.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(command: &Command) -> Self {
        Self::spawn_as(command, None)
    }

    pub(crate) fn spawn_as(command: &Command, account: Option<Account>) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = NamedTempFile::new().expect("the temporary folder can be written");
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL"]);
        if let Some(Account { uid, gid }) = account {
            guarded
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={gid}"))
                .arg("--clear-groups");
        }
        guarded.arg("--").arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(key, value),
                None => guarded.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        let out = || -> Stdio { log.reopen().expect("the log was just made").into() };
        guarded.stdin(Stdio::null()).stdout(out()).stderr(out());
        let child = spawn_from_lasting_thread(guarded)
            .unwrap_or_else(|e| panic!("cannot start {name} through setpriv (util-linux): {e}"));
        Self { name, child, log }
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    /// When the daemon ends before, or is not ready after 30 s.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        for _ in 0..READY_TRIES {
            if ready() {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("our own child can be asked") {
                panic!("{} ended with {status} before it was ready:\n{}", self.name, self.log());
            }
            std::thread::sleep(READY_STEP);
        }
        panic!("{} is not ready after 30 s:\n{}", self.name, self.log());
    }

    /// Its process id, for signals.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout and stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        let mut file =
            self.log.reopen().unwrap_or_else(|e| panic!("the log of {}: {e}", self.name));
        io::Read::read_to_end(&mut file, &mut text).expect("a log file can be read");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// SIGKILL, and waits for the end. Nothing happens when it has ended.
    pub fn kill(&mut self) {
        // Both fail only for a child that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4_000);
            let tail = log.get(tail..).unwrap_or(&log);
            let _ = io::Write::write_all(
                &mut io::stderr(),
                format!("---- end of the log of {} ----\n{tail}\n----\n", self.name).as_bytes(),
            );
        }
    }
}

fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Job = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (send, jobs) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("testkit-spawner".into())
            .spawn(move || {
                for (mut command, reply) in jobs {
                    // The caller waits for the reply, so it cannot be gone.
                    let _ = reply.send(command.spawn());
                }
            })
            .expect("a thread can be started");
        send
    });
    let (reply, child) = mpsc::channel();
    spawner.send((command, reply)).expect("the spawner lives as long as the process");
    child.recv().expect("the spawner answers each job")
}

/// Opens a lock file and makes it if it is not there.
pub(crate) fn lock_file(path: &std::path::Path) -> File {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap_or_else(|e| panic!("cannot open the lock {path:?}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zombie counts as dead: in a container nobody may be there to bury it.
    fn is_alive(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    #[test]
    fn a_daemon_is_gone_when_its_guard_is() {
        let daemon = Daemon::spawn(Command::new("sleep").arg("600"));
        let pid = daemon.id();
        assert!(is_alive(pid));
        drop(daemon);
        assert!(!is_alive(pid));
    }

    /// Set for the inner process of the next test: where it writes its daemon's id.
    const HOLD: &str = "POSTROAD_TESTKIT_HOLD";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tells the inner process from the outer one")]
    fn a_daemon_dies_with_its_test_process_even_by_sigkill() {
        if let Some(path) = std::env::var_os(HOLD) {
            let daemon = Daemon::spawn(Command::new("sleep").arg("600"));
            std::fs::write(path, format!("{}\n", daemon.id())).unwrap();
            std::thread::sleep(Duration::from_secs(600));
        }
        let told = NamedTempFile::new().unwrap();
        let mut inner = Command::new(std::env::current_exe().unwrap());
        inner.args([
            "--exact",
            "daemon::tests::a_daemon_dies_with_its_test_process_even_by_sigkill",
        ]);
        let mut inner = Daemon::spawn(inner.env(HOLD, told.path()));
        let read = || std::fs::read_to_string(told.path()).unwrap();
        inner.wait_until(|| read().ends_with('\n'));
        let pid = read().trim().parse().unwrap();
        assert!(is_alive(pid));
        inner.kill();
        let mut another = Daemon::spawn(Command::new("sleep").arg("600"));
        another.wait_until(|| !is_alive(pid));
    }

    #[test]
    fn a_daemon_outlives_the_thread_that_asked_for_it() {
        let mut daemon = std::thread::spawn(|| {
            Daemon::spawn(Command::new("sh").args(["-c", "echo up; sleep 600"]))
        })
        .join()
        .unwrap();
        let log = daemon.log.reopen().unwrap();
        daemon.wait_until(|| log.metadata().is_ok_and(|m| m.len() == 3));
        assert!(daemon.child.try_wait().unwrap().is_none());
        assert_eq!(daemon.log(), "up\n");
    }
}
