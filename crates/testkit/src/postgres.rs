//! One PostgreSQL server for all test processes, one fresh database for each test.
//!
//! The first process starts the server in the temporary folder, on a Unix socket only, durable as in production
//! (fsync on: the tests that kill things must not be fooled), as `postgres` or `nobody` when the tests run as root.
//! `postgres.supervisor.sh` stops it some seconds after the last process is gone, however that one ended. Ready means
//! that `psql` gets an answer.

use crate::daemon::lock_file;
use crate::program::{Account, find, give_to, unprivileged};
use crate::skip::skip;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const IDLE_SECONDS: u32 = 20;
const READY_TRIES: u32 = 300;
const READY_STEP: Duration = Duration::from_millis(100);

struct Server {
    bin: PathBuf,
    folder: PathBuf,
    /// Held shared until the process ends: tells the supervisor that somebody is there.
    _users: File,
}

/// A database of one test, dropped with this guard.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

/// A fresh, empty database; `None` after saying `SKIPPED` when PostgreSQL is not installed.
///
/// # Panics
/// When the server is installed and does not start, and where skips are failures.
#[must_use]
pub fn database() -> Option<Database> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let Some(server) = SERVER.get_or_init(server) else {
        skip("no PostgreSQL server here; run: apt-get install postgresql");
        return None;
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("t{}_{number}", std::process::id());
    // A process with our id may have died here before us.
    let clean = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let make = format!("CREATE DATABASE {name} TEMPLATE template0");
    if let Err(said) = server.psql(&[&clean, &make]) {
        panic!("cannot make the database {name}: {said}");
    }
    Some(Database { url: url(&server.folder, &name), name })
}

impl Database {
    /// Its address: `postgres://postgres@localhost/NAME?host=FOLDER`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL with psql and gives what it prints (unaligned, without headers): to look from outside at what the
    /// code under test has written.
    ///
    /// # Panics
    /// When the SQL fails.
    #[must_use]
    pub fn query(&self, sql: &str) -> String {
        let bin = programs().expect("the server of this database was started from there");
        psql(&bin, &self.url, &[sql]).unwrap_or_else(|said| panic!("{sql}: {said}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((bin, folder)) = programs().zip(Some(folder())) else { return };
        // A database that stays goes with the server.
        let _ = psql(
            &bin,
            &url(&folder, "postgres"),
            &[&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)],
        );
    }
}

impl Server {
    fn psql(&self, statements: &[&str]) -> Result<String, String> {
        psql(&self.bin, &url(&self.folder, "postgres"), statements)
    }
}

fn url(folder: &Path, database: &str) -> String {
    let folder = folder.display().to_string().replace('/', "%2F");
    format!("postgres://postgres@localhost/{database}?host={folder}")
}

fn psql(bin: &Path, url: &str, statements: &[&str]) -> Result<String, String> {
    let mut command = Command::new(bin.join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]);
    command.args(statements.iter().flat_map(|s| ["-c", *s])).stdin(Stdio::null());
    // Anything in PGHOST, PGOPTIONS and the like is meant for other servers.
    command.env_clear();
    let output = command.output().map_err(|e| format!("psql: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

/// The folder with initdb, postgres, pg_ctl and psql of one version: Debian's newest, else the one on the PATH.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|v| Some((v.file_name().to_str()?.parse::<u32>().ok()?, v.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max();
    newest.map(|(_, bin)| bin).or_else(|| {
        let real = fs::canonicalize(find("initdb")?).ok()?;
        real.parent().map(Path::to_path_buf)
    })
}

fn folder() -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("postroad-postgres-{uid}"))
}

/// Joins the running server or starts one; `None` when PostgreSQL is not installed.
fn server() -> Option<Server> {
    let bin = programs()?;
    let folder = folder();
    let account = unprivileged(&["postgres", "nobody"]);
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("cannot make {folder:?}: {e}"));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
    give_to(&folder, account);
    let lock = |name: &str| {
        let path = folder.join(name);
        let file = lock_file(&path);
        give_to(&path, account);
        file
    };
    let (starting, users) = (lock("start.lock"), lock("users.lock"));
    starting.lock().expect("a file can be locked");
    users.lock_shared().expect("a file can be locked");
    let server = Server { bin, folder, _users: users };
    if server.psql(&["SELECT 1"]).is_err() {
        start(&server, account);
    }
    Some(server)
}

#[expect(
    clippy::zombie_processes,
    reason = "the supervisor outlives us by design; it ends by itself when nobody is left"
)]
fn start(server: &Server, account: Option<Account>) {
    let data = server.folder.join("data");
    // What is left of a server that was killed. One that still runs there stops when it misses its files.
    let _ = fs::remove_dir_all(&data);
    let log_path = server.folder.join("server.log");
    let log = File::create(&log_path).unwrap_or_else(|e| panic!("cannot write {log_path:?}: {e}"));
    give_to(&log_path, account);
    let out = || -> Stdio { log.try_clone().expect("a file handle can be copied").into() };
    let mut initdb = Command::new(server.bin.join("initdb"));
    initdb.arg("-D").arg(&data).args(["-U", "postgres", "--auth=trust", "--no-sync"]);
    initdb.args(["--no-locale", "--encoding=UTF8"]);
    let mut supervisor = Command::new("/bin/sh");
    let script = server.folder.join("supervisor.sh");
    fs::write(&script, include_str!("postgres.supervisor.sh")).expect("the folder can be written");
    supervisor.arg(script).arg(&server.bin).arg(&server.folder).arg(IDLE_SECONDS.to_string());
    for command in [&mut initdb, &mut supervisor] {
        command.stdin(Stdio::null()).stdout(out()).stderr(out()).current_dir(&server.folder);
        if let Some(Account { uid, gid }) = account {
            command.uid(uid).gid(gid);
        }
    }
    let said = || fs::read_to_string(&log_path).unwrap_or_default();
    let made = initdb.status().unwrap_or_else(|e| panic!("cannot run initdb: {e}"));
    assert!(made.success(), "initdb failed:\n{}", said());
    // A group of its own: Ctrl-C ends the tests, and the supervisor then ends the server.
    let mut running = supervisor.process_group(0).spawn().expect("/bin/sh can be started");
    for _ in 0..READY_TRIES {
        if server.psql(&["SELECT 1"]).is_ok() {
            return;
        }
        if let Ok(Some(status)) = running.try_wait() {
            panic!("PostgreSQL ended with {status}:\n{}", said());
        }
        std::thread::sleep(READY_STEP);
    }
    panic!("PostgreSQL is not ready after 30 s:\n{}", said());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_has_a_database_of_its_own_on_a_durable_server() {
        let Some(one) = database() else { return };
        let Some(two) = database() else { return };
        assert_eq!(one.query("CREATE TABLE t (n int); SELECT count(*) FROM t"), "0");
        assert_eq!(two.query("SELECT to_regclass('t') IS NULL"), "t");
        assert_eq!(one.query("SHOW fsync"), "on");
        assert_eq!(one.query("SHOW synchronous_commit"), "on");
        let name = one.name.clone();
        drop(one);
        let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        assert_eq!(two.query(&count), "0");
    }
}
