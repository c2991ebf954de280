//! Where programs are, and as whom daemons run: never as root, whoever runs the tests.

use std::path::PathBuf;

/// An account of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// A program on the PATH or in one of the folders where distributions hide daemons.
#[expect(clippy::disallowed_methods, reason = "the test runner's environment is the argument here")]
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The first of these accounts that exists, when we are root; `None` otherwise: then we are unprivileged already.
pub(crate) fn unprivileged(names: &[&str]) -> Option<Account> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    names.iter().find_map(|name| account(&passwd, name))
}

/// An account of the system by its name.
pub(crate) fn named(name: &str) -> Option<Account> {
    account(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), name)
}

/// One account of a passwd file: `name:password:uid:gid:...`.
fn account(passwd: &str, name: &str) -> Option<Account> {
    let mut fields = passwd
        .lines()
        .map(|l| l.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}

/// Gives a file or folder to the account that the daemon runs as.
pub(crate) fn give_to(path: &std::path::Path, account: Option<Account>) {
    if let Some(Account { uid, gid }) = account {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .unwrap_or_else(|e| panic!("cannot give {path:?} to uid {uid}: {e}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/:/bin/sh\npostgres:x:101:104:db:/var:/bin/sh\n";
        let account = account(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(super::account(passwd, "post").is_none());
    }
}
