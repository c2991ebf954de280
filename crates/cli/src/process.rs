//! A running `serve` on this machine: what /proc says of a process number.
//!
//! A number is used again, and SIGHUP ends whoever does not wait for it. So a process is signalled only when it is this
//! program, runs `serve` and catches the signal; the descriptor that it is signalled through was opened before it was looked at,
//! and never means another process.

use crate::args::Cli;
use crate::exit::{Exit, Fault};
use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap::parser::ValueSource;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A `serve` that waits for SIGHUP.
#[derive(Debug)]
pub struct Serve {
    process: OwnedFd,
    /// The configuration that it reads.
    pub config: PathBuf,
}

impl Serve {
    /// The process of a number, if it is one.
    pub fn find(pid: i32) -> Result<Option<Self>> {
        let Some(pid) = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error).context("cannot look at another process"),
        };
        let at = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        // Whatever ends while it is looked at is none.
        let (Ok(name), Ok(line), Ok(status)) = (
            fs::read(at.join("comm")),
            fs::read(at.join("cmdline")),
            fs::read_to_string(at.join("status")),
        ) else {
            return Ok(None);
        };
        let ours = fs::read("/proc/self/comm").context("cannot read /proc/self/comm")?;
        if name != ours || !catches_hangup(&status) {
            return Ok(None);
        }
        let Some(named) = serves(&words(&line)) else { return Ok(None) };
        let config = config(&at, named).map_err(|error| refused(pid, &error))?;
        Ok(Some(Self { process, config }))
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) -> Result<()> {
        pidfd_send_signal(&self.process, Signal::HUP)
            .map_err(std::io::Error::from)
            .context("cannot send SIGHUP; say it as the user that `serve` runs as, or as root")
    }
}

fn refused(pid: Pid, error: &std::io::Error) -> anyhow::Error {
    let pid = pid.as_raw_nonzero();
    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
    let exit = if denied { Exit::NoPermission } else { Exit::Io };
    let text = format!(
        "cannot see which configuration process {pid} reads: {error}; say it as the user that `serve` runs as, or as root"
    );
    Fault::new(exit, text).into()
}

/// Signals that have a handler are a mask in hexadecimal digits; SIGHUP is its lowest bit (proc_pid_status(5)).
fn catches_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|m| m & 1 == 1)
}

/// Strings that end in NUL.
fn words(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|b| *b == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect()
}

/// The configuration that a command line of `serve` names, if it names one; `None` for other commands.
fn serves(line: &[OsString]) -> Option<Option<PathBuf>> {
    let matches = Cli::command().try_get_matches_from(line).ok()?;
    if matches.subcommand_name() != Some("serve") {
        return None;
    }
    // The environment that clap sees is ours, not its.
    let typed = matches.value_source("config") == Some(ValueSource::CommandLine);
    Some(matches.get_one::<PathBuf>("config").filter(|_| typed).cloned())
}

/// The configuration's file, as [`crate::app::App::config_path`] finds it.
fn config(process: &Path, named: Option<PathBuf>) -> std::io::Result<PathBuf> {
    let folder = fs::read_link(process.join("cwd"))?;
    if let Some(named) = named {
        return Ok(folder.join(named));
    }
    let environment = words(&fs::read(process.join("environ"))?);
    let variable = |word: &OsString| {
        let value = word.as_bytes().strip_prefix(b"POSTROAD_CONFIG=")?;
        (!value.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(value)))
    };
    if let Some(named) = environment.iter().find_map(variable) {
        return Ok(folder.join(named));
    }
    let here = folder.join("postroad.toml");
    Ok(if here.exists() { here } else { PathBuf::from("/etc/postroad/postroad.toml") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_serve_is_one_and_its_configuration_is_read_off_its_line() {
        let check = |line: &str, expected: Option<Option<&str>>| {
            let line = words(line.replace(' ', "\0").as_bytes());
            assert_eq!(serves(&line), expected.map(|named| named.map(PathBuf::from)), "{line:?}");
        };
        check("postroad serve", Some(None));
        check("/usr/bin/postroad -v serve --config a.toml", Some(Some("a.toml")));
        check("postroad --config=/etc/b.toml serve --no-engine", Some(Some("/etc/b.toml")));
        check("postroad campaign run serve", None);
        check("postroad reload", None);
        check("postroad", None);
        check("nginx serve --port 80", None);
    }

    #[test]
    fn a_process_that_would_be_ended_by_the_signal_is_none() {
        let check = |mask: &str, expected: bool| {
            assert_eq!(catches_hangup(&format!("Name:\tx\nSigCgt:\t{mask}\n")), expected, "{mask}");
        };
        check("0000000100004003", true);
        check("0000000100004002", false);
        check("", false);
        assert!(!catches_hangup("Name:\tx\n"));
        // Neither this process nor the first one is a `serve`.
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(Serve::find(own).unwrap().is_none());
        assert!(Serve::find(1).unwrap().is_none());
        assert!(Serve::find(-1).unwrap().is_none());
    }
}
