//! A real Dovecot: IMAP, POP3 and LMTP on a loopback address of the test, every mail in a temporary folder.
//!
//! Run by the tests of the mailbox and of the ways in which bounces come back. Each domain is one mailbox: whatever stands before the @
//! lands in it, and any user of it logs in with the one password. Everything runs as one unprivileged account, so
//! it works for root and for others. Ready means that every service has greeted. The configuration is Dovecot
//! 2.3's; another version counts as not installed.

use crate::certificate::Authority;
use crate::daemon::Daemon;
use crate::loopback;
use crate::program::{Account, find, give_to, unprivileged};
use crate::skip::skip;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The password of every account.
pub const PASSWORD: &str = "correct-horse";

/// A running Dovecot.
#[derive(Debug)]
pub struct Dovecot {
    daemon: Daemon,
    folder: TempDir,
    authority_pem: String,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    imap: SocketAddr,
    imaps: SocketAddr,
    pop3: SocketAddr,
    pop3s: SocketAddr,
    lmtp: SocketAddr,
}

/// Starts one; `None` after saying `SKIPPED` when it is not installed.
///
/// # Panics
/// When it does not start, and where skips are failures.
#[must_use]
pub fn spawn() -> Option<Dovecot> {
    spawn_with("")
}

/// Starts one with more lines of dovecot.conf, e.g. `imap_capability = IMAP4rev1 UIDPLUS`.
///
/// # Panics
/// As [`spawn`].
#[must_use]
pub fn spawn_with(more: &str) -> Option<Dovecot> {
    start(more, None)
}

fn start(more: &str, script: Option<&str>) -> Option<Dovecot> {
    let Some(program) = find("dovecot").filter(|program| is_known(program)) else {
        skip("no Dovecot 2.3 here; run: apt-get install dovecot-imapd dovecot-pop3d dovecot-lmtpd");
        return None;
    };
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let account = unprivileged(&["nobody"]);
    let ports = Ports {
        imap: loopback::address(),
        imaps: loopback::address(),
        pop3: loopback::address(),
        pop3s: loopback::address(),
        lmtp: loopback::address(),
    };
    let authority = Authority::new();
    let leaf = authority.issue(&loopback::ip().to_string());
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the folder was just made");
        give_to(&path, account);
        path
    };
    write("cert.pem", &leaf.certificate_pem);
    write("key.pem", &leaf.key_pem);
    for name in ["run", "state", "mail"] {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("the folder was just made");
        give_to(&path, account);
    }
    give_to(folder.path(), account);
    let mut more = more.to_owned();
    if let Some(script) = script {
        // What is made of the script is kept beside it, so it lies where the account may write.
        let path = write("rules.sieve", script);
        more.push_str("\nprotocol lmtp {\nmail_plugins = sieve\n}\n");
        more.push_str(&format!(
            "plugin {{\nsieve_before = {}\nsieve_extensions = +editheader\n}}\n",
            path.display()
        ));
    }
    let conf = write("dovecot.conf", &configuration(folder.path(), account, ports, &more));
    let mut command = Command::new(program);
    command.args(["-F", "-c"]).arg(&conf).current_dir(folder.path());
    let mut daemon = Daemon::spawn_as(&command, account);
    daemon.wait_until(|| {
        greets(ports.imap, "* OK") && greets(ports.pop3, "+OK") && greets(ports.lmtp, "220")
    });
    Some(Dovecot { daemon, folder, authority_pem: authority.certificate_pem(), ports })
}

/// Starts one whose deliveries go through a Sieve script, e.g. to file some mail into Junk, or to put a field on top as a
/// receiving side does (editheader).
///
/// # Panics
/// As [`spawn`].
#[must_use]
pub fn spawn_sieve(script: &str) -> Option<Dovecot> {
    let plugin = "/usr/lib/dovecot/modules/lib90_sieve_plugin.so";
    if !Path::new(plugin).exists() {
        skip("no Sieve for Dovecot here; run: apt-get install dovecot-sieve");
        return None;
    }
    start("", Some(script))
}

impl Dovecot {
    /// IMAP in clear text, with STARTTLS.
    #[must_use]
    pub fn imap(&self) -> SocketAddr {
        self.ports.imap
    }

    /// IMAP with TLS from the first byte.
    #[must_use]
    pub fn imaps(&self) -> SocketAddr {
        self.ports.imaps
    }

    /// POP3 in clear text, with STLS.
    #[must_use]
    pub fn pop3(&self) -> SocketAddr {
        self.ports.pop3
    }

    /// POP3 with TLS from the first byte.
    #[must_use]
    pub fn pop3s(&self) -> SocketAddr {
        self.ports.pop3s
    }

    /// LMTP.
    #[must_use]
    pub fn lmtp(&self) -> SocketAddr {
        self.ports.lmtp
    }

    /// The authority that signed its certificate.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Puts a message into a domain's inbox by LMTP, as a mail server would.
    ///
    /// # Panics
    /// When Dovecot does not take it.
    pub fn deliver(&self, recipient: &str, message: &str) {
        let stream = TcpStream::connect(self.ports.lmtp).expect("it listens since it is ready");
        let mut replies = BufReader::new(stream.try_clone().expect("a socket can be copied"));
        let mut stream = stream;
        let mut body = String::new();
        for line in message.lines() {
            let dot = if line.starts_with('.') { "." } else { "" };
            body.push_str(&format!("{dot}{line}\r\n"));
        }
        let mail_from = "MAIL FROM:<>".to_owned();
        let rcpt = format!("RCPT TO:<{recipient}>");
        let steps = [
            (String::new(), "220"),
            ("LHLO test".into(), "250"),
            (mail_from, "250"),
            (rcpt, "250"),
            ("DATA".into(), "354"),
            (format!("{body}."), "250"),
            ("QUIT".into(), "221"),
        ];
        for (command, code) in steps {
            if !command.is_empty() {
                stream.write_all(format!("{command}\r\n").as_bytes()).expect("it reads");
            }
            loop {
                let mut line = String::new();
                replies.read_line(&mut line).expect("it answers");
                assert!(line.starts_with(code), "{command}: {line}\n{}", self.daemon.log());
                if line.as_bytes().get(3) == Some(&b' ') {
                    break;
                }
            }
        }
    }

    /// How many messages lie in a folder of a domain's mailbox (`""` is the inbox), new and seen.
    #[must_use]
    pub fn count(&self, domain: &str, folder: &str) -> usize {
        let maildir = self.maildir(domain, folder);
        let files = |name: &str| fs::read_dir(maildir.join(name)).map_or(0, Iterator::count);
        files("new") + files("cur")
    }
}

impl Dovecot {
    /// Puts another Sieve script in the place of the one that it was started with; the next delivery goes by it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn script(&self, text: &str) {
        let path = self.folder.path().join("rules.sieve");
        // Its compiled form would be taken for younger within the same second.
        let _ = fs::remove_file(path.with_extension("svbin"));
        let new = path.with_extension("new");
        fs::write(&new, text).expect("the folder is ours");
        give_to(&new, unprivileged(&["nobody"]));
        fs::rename(&new, &path).expect("the folder is ours");
        let _ = fs::remove_file(path.with_extension("svbin"));
    }

    /// The messages of a folder as they were delivered; the inbox is `""`.
    #[must_use]
    pub fn messages(&self, domain: &str, folder: &str) -> Vec<String> {
        let maildir = self.maildir(domain, folder);
        let files = ["new", "cur"].into_iter().filter_map(|n| fs::read_dir(maildir.join(n)).ok());
        let files = files.flatten().flatten().filter_map(|file| fs::read(file.path()).ok());
        files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    fn maildir(&self, domain: &str, folder: &str) -> PathBuf {
        let maildir = self.folder.path().join("mail").join(domain);
        if folder.is_empty() { maildir } else { maildir.join(format!(".{folder}")) }
    }

    /// How many messages of a folder nobody has read: without the flag `S`.
    #[must_use]
    pub fn unseen(&self, domain: &str, folder: &str) -> usize {
        let maildir = self.maildir(domain, folder);
        let names = ["new", "cur"].into_iter().filter_map(|n| fs::read_dir(maildir.join(n)).ok());
        let names = names.flatten().flatten().map(|f| f.file_name().to_string_lossy().into_owned());
        let read = |name: &str| name.rsplit_once(":2,").is_some_and(|(_, f)| f.contains('S'));
        names.filter(|name| !read(name)).count()
    }
}

fn is_known(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|o| o.stdout.starts_with(b"2.3."))
}

fn greets(address: SocketAddr, greeting: &str) -> bool {
    let Ok(stream) = TcpStream::connect(address) else { return false };
    if stream.set_read_timeout(Some(Duration::from_secs(2))).is_err() {
        return false;
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with(greeting)
}

/// Name of the account and of its group: Dovecot's settings want names.
fn names(account: Option<Account>) -> (String, String) {
    let (uid, gid) = match account {
        Some(Account { uid, gid }) => (uid, gid),
        None => (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()),
    };
    let name = |file: &str, id: u32| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().map(|l| l.split(':').collect::<Vec<_>>());
        let found = found.into_iter().find(|f| f.get(2) == Some(&id.to_string().as_str()));
        found.map_or_else(|| id.to_string(), |f| f[0].to_owned())
    };
    (name("/etc/passwd", uid), name("/etc/group", gid))
}

fn configuration(folder: &Path, account: Option<Account>, ports: Ports, more: &str) -> String {
    let (user, group) = names(account);
    let here: PathBuf = folder.to_path_buf();
    let here = here.display();
    let listener = |name: &str, at: SocketAddr, tls: &str| {
        format!("inet_listener {name} {{\naddress = {}\nport = {}\n{tls}}}\n", at.ip(), at.port())
    };
    let (tls, none) = ("ssl = yes\n", "");
    let imap = listener("imap", ports.imap, none) + &listener("imaps", ports.imaps, tls);
    let pop3 = listener("pop3", ports.pop3, none) + &listener("pop3s", ports.pop3s, tls);
    let lmtp = listener("lmtp", ports.lmtp, none);
    format!(
        "protocols = imap pop3 lmtp
base_dir = {here}/run
state_dir = {here}/state
log_path = /dev/stderr
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{here}/cert.pem
ssl_key = <{here}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{here}/mail/%d
mailbox_idle_check_interval = 1 secs
service imap-login {{
chroot =
{imap}}}
service pop3-login {{
chroot =
{pop3}}}
service lmtp {{
user = {user}
{lmtp}}}
service anvil {{
chroot =
}}
passdb {{
driver = static
args = password={PASSWORD}
}}
userdb {{
driver = static
args = uid={user} gid={group} home={here}/mail/%d allow_all_users=yes
}}
namespace inbox {{
inbox = yes
separator = .
mailbox Junk {{
auto = create
special_use = \\Junk
}}
mailbox Outbox {{
auto = create
special_use = \\Sent
}}
}}
{more}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_files_what_it_wants_into_junk() {
        let script = "require \"fileinto\";\nif header :contains \"X-Test\" \"bad\" { fileinto \"Junk\"; }\n";
        let Some(dovecot) = spawn_sieve(script) else { return };
        dovecot.deliver("a@b.test", "X-Test: good\n\nx\n");
        dovecot.deliver("a@b.test", "X-Test: bad\n\nx\n");
        assert_eq!((dovecot.count("b.test", ""), dovecot.count("b.test", "Junk")), (1, 1));
    }

    #[test]
    fn what_is_delivered_lies_in_the_mailbox_of_its_domain() {
        let Some(dovecot) = spawn() else { return };
        dovecot.deliver("anything@b.test", "Subject: hello\n\n.dot\n");
        assert_eq!(dovecot.count("b.test", ""), 1);
        assert_eq!(dovecot.count("c.test", ""), 0);
        assert!(greets(dovecot.pop3(), "+OK"));
    }
}
