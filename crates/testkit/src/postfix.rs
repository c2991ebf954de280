//! A real Postfix that takes mail on a loopback address of the test, sends it on, and bounces what is refused.
//!
//! Run by the tests of the ways in which bounces come back. Its `master` must be root (it changes to `postfix`), so
//! tests of other users skip. Queue and configuration lie in a temporary folder; the machine's own Postfix is not
//! touched. Its processes end when their master is gone. Ready means that it has greeted.

use crate::daemon::Daemon;
use crate::loopback;
use crate::program::{Account, give_to, named};
use crate::skip::skip;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Where Postfix sends the mail of a domain.
#[derive(Clone, Debug)]
pub struct Route {
    /// The domain; `*` is every other one.
    pub domain: String,
    /// `smtp`, `lmtp`, or another of its services.
    pub transport: String,
    /// Where to.
    pub to: SocketAddr,
}

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    daemon: Daemon,
    folder: TempDir,
    address: SocketAddr,
}

/// Starts one with these routes and more lines of main.cf; `None` after saying `SKIPPED` when it is not installed or
/// this is not root.
///
/// # Panics
/// When it does not start, and where skips are failures.
#[must_use]
pub fn spawn(routes: &[Route], more: &str) -> Option<Postfix> {
    let programs = ["/usr/lib/postfix/sbin", "/usr/libexec/postfix"].map(Path::new);
    let programs = programs.into_iter().find(|folder| folder.join("master").is_file());
    let accounts = named("postfix").zip(named_group("postdrop"));
    let (Some(programs), Some((postfix, postdrop))) = (programs, accounts) else {
        skip("no Postfix here; run: apt-get install postfix");
        return None;
    };
    if !rustix::process::getuid().is_root() {
        skip("Postfix runs as root only; run this test as root, in a container for instance");
        return None;
    }
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    // Its processes pass through as `postfix`.
    open(folder.path(), 0o755);
    let address = loopback::address();
    let (conf, queue) = (folder.path().join("conf"), folder.path().join("queue"));
    fs::create_dir(&conf).expect("the folder was just made");
    make_queue(&queue, postfix, postdrop);
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the folder was just made");
    give_to(&data, Some(postfix));
    let main = main_cf(folder.path(), programs, routes) + more + "\n";
    fs::write(conf.join("main.cf"), main).expect("the folder was just made");
    fs::write(conf.join("master.cf"), master_cf(address)).expect("the folder was just made");
    let mut command = Command::new(programs.join("master"));
    command.arg("-c").arg(&conf).arg("-d").current_dir(folder.path());
    let daemon = Daemon::spawn_as(&command, None);
    end_with_this_process(daemon.id());
    let mut postfix = Postfix { daemon, folder, address };
    postfix.daemon.wait_until(|| greets(address));
    Some(postfix)
}

/// `master` changes its user while it starts, and the kernel then forgets to end it with us: a shell looks after both.
fn end_with_this_process(master: u32) {
    let watch =
        "while kill -0 $1 && kill -0 $2; do sleep 1; done 2>/dev/null; kill -9 $2 2>/dev/null";
    let ids = [std::process::id(), master].map(|id| id.to_string());
    let quiet = std::process::Stdio::null;
    let mut shell = Command::new("sh");
    shell.args(["-c", watch, "watch", &ids[0], &ids[1]]);
    shell.stdin(quiet()).stdout(quiet()).stderr(quiet());
    let mut shell = shell.spawn().expect("every system has a shell");
    std::thread::spawn(move || shell.wait());
}

impl Postfix {
    /// Where it takes mail.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands it a message, as a client would.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn send(&self, mail_from: &str, recipient: &str, message: &str) {
        let mut stream = TcpStream::connect(self.address).expect("it listens since it is ready");
        let mut replies = BufReader::new(stream.try_clone().expect("a socket can be copied"));
        let body = message.replace('\n', "\r\n");
        for (command, code) in [
            (String::new(), "220"),
            ("HELO test".into(), "250"),
            (format!("MAIL FROM:<{mail_from}>"), "250"),
            (format!("RCPT TO:<{recipient}>"), "250"),
            ("DATA".into(), "354"),
            (format!("{body}\r\n."), "250"),
            ("QUIT".into(), "221"),
        ] {
            if !command.is_empty() {
                stream.write_all(format!("{command}\r\n").as_bytes()).expect("it reads");
            }
            let mut line = String::new();
            replies.read_line(&mut line).expect("it answers");
            assert!(line.starts_with(code), "{command}: {line}");
        }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(6_000);
            let tail = log.get(tail..).unwrap_or(&log);
            let text = format!("---- end of Postfix's log ----\n{tail}\n----\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address) else { return false };
    if stream.set_read_timeout(Some(Duration::from_secs(5))).is_err() {
        return false;
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("220")
}

fn named_group(name: &str) -> Option<u32> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut lines = text.lines().map(|l| l.split(':').collect::<Vec<_>>());
    lines.find(|f| f[0] == name).and_then(|f| f.get(2)?.parse().ok())
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the folder is ours");
}

/// As postfix-script's `check` would: which folders, whose, and who may enter.
fn make_queue(queue: &Path, postfix: Account, postdrop: u32) {
    fs::create_dir(queue).expect("the folder was just made");
    for name in [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
        "saved", "trace",
    ] {
        let path = queue.join(name);
        fs::create_dir(&path).expect("the folder was just made");
        open(&path, 0o700);
        give_to(&path, Some(postfix));
    }
    for (name, mode) in [("public", 0o710), ("maildrop", 0o730)] {
        let path = queue.join(name);
        fs::create_dir(&path).expect("the folder was just made");
        give_to(&path, Some(Account { uid: postfix.uid, gid: postdrop }));
        open(&path, mode);
    }
    fs::create_dir(queue.join("pid")).expect("the folder was just made");
}

fn main_cf(folder: &Path, programs: &Path, routes: &[Route]) -> String {
    let (here, programs) = (folder.display(), programs.display());
    let route = |r: &Route| {
        let (domain, transport, ip, port) = (&r.domain, &r.transport, r.to.ip(), r.to.port());
        // LMTP names the protocol of the address, SMTP does not.
        let to = if transport == "lmtp" {
            format!("inet:[{ip}]:{port}")
        } else {
            format!("[{ip}]:{port}")
        };
        format!("{{ {domain} = {transport}:{to} }}")
    };
    let routes: Vec<String> = routes.iter().map(route).collect();
    let routes = routes.join(", ");
    format!(
        "compatibility_level = 3.6
queue_directory = {here}/queue
data_directory = {here}/data
daemon_directory = {programs}
maillog_file = {here}/data/log
maillog_file_prefixes = {here}
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
inet_interfaces = loopback-only
disable_dns_lookups = yes
smtp_host_lookup = native
alias_maps =
alias_database =
local_recipient_maps =
transport_maps = inline:{{ {routes} }}
smtputf8_enable = yes
smtp_tls_security_level = none
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtpd_relay_restrictions = permit_mynetworks, reject
"
    )
}

fn master_cf(address: SocketAddr) -> String {
    format!(
        "{address} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postfix_cannot_deliver_comes_back_to_the_sender() {
        let Some(dovecot) = crate::dovecot::spawn() else { return };
        let Some(refusing) = crate::smtp_sink::spawn_with(&["-f", "RCPT"]) else { return };
        let route = |domain: &str, transport: &str, to| Route {
            domain: domain.into(),
            transport: transport.into(),
            to,
        };
        let routes =
            [route("b.test", "lmtp", dovecot.lmtp()), route("*", "smtp", refusing.address())];
        let Some(postfix) = spawn(&routes, "") else { return };
        let options = ["-f", "verp@b.test", "-t", "nobody@gone.test"];
        let Some(output) = crate::smtp_source::run(postfix.address(), &options) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for _ in 0..600 {
            if dovecot.count("b.test", "") == 1 {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no bounce came back");
    }
}
