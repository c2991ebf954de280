//! `init`: a folder with which the next eight commands work as they are printed.
//!
//! Nothing that is there is ever overwritten: all of it is looked at before the first file is written.

use crate::app::App;
use crate::args::InitArgs;
use crate::environment;
use crate::exit::{Exit, Fault};
use anyhow::{Context as _, Result};
use postroad_config::Config;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The sample's example of a domain, and the one that makes a first campaign possible.
const DOMAIN_EXAMPLE: &str = "#[[domain]]\n#name = \"news.example.com\"";
const DOMAIN: &str = "[[domain]]\nname = \"example.com\"                  # nothing leaves this machine through the sink\nunsubscribe_mailto = \"unsubscribe@example.com\"\npostal_address = \"1 Example Street, Hanoi\"\n\n";

const CONTACTS: &str = "email,name,city\n\
                        anna@example.com,Anna Nguyễn,Hà Nội\n\
                        bob@example.com,Bob Miller,London\n\
                        chi@example.com,Chi Trần,Đà Nẵng\n";

/// The commands that come next, in order.
const NEXT: [(&str, &str); 8] = [
    ("postroad config check", "is the configuration right?"),
    ("postroad contact import contacts.csv --list readers", "three people, to begin with"),
    ("postroad campaign new hello --list readers", "writes campaigns/hello/, to be edited"),
    ("postroad campaign check hello", "composes every message and looks for trouble"),
    ("postroad campaign test hello --to you@example.com", "the real thing, to yourself"),
    ("postroad campaign schedule hello", "copies settings and template; --at TIME for later"),
    ("postroad campaign run hello", "sends it; `postroad serve` does so for all campaigns"),
    ("postroad campaign report hello", "every number"),
];

pub fn run(app: &App, args: &InitArgs) -> Result<Exit> {
    let folder = &args.folder;
    let key = environment::new_key().context("the system gives no random numbers")?;
    let files = [
        ("postroad.toml", configuration(), 0o644),
        ("secrets/postroad.key", format!("{}\n", key.expose()), 0o600),
        ("contacts.csv", CONTACTS.to_owned(), 0o644),
    ];
    let standing: Vec<&str> = files
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| folder.join(name).symlink_metadata().is_ok())
        .collect();
    if let Some(first) = standing.first() {
        return Err(Fault::data(format!(
            "{} exists already, and init overwrites nothing; choose another folder: postroad init FOLDER",
            folder.join(first).display()
        ))
        .into());
    }
    for name in ["secrets", "keys", "campaigns"] {
        make(&folder.join(name), if name == "campaigns" { 0o755 } else { 0o700 })?;
    }
    for (name, text, mode) in &files {
        write_new(&folder.join(name), text, *mode)?;
    }
    let written: Vec<&str> = files.iter().map(|(name, ..)| *name).collect();
    let next: Vec<&str> = NEXT.iter().map(|(command, _)| *command).collect();
    app.output.show(&json!({ "folder": folder, "written": written, "next": next }), |_| {
        let mut text = format!("Written in {}: {}\n", folder.display(), written.join(", "));
        text.push_str("Keep a copy of secrets/postroad.key in a safe place.\n\nNext, in this order:\n\n");
        if folder.as_os_str() != "." {
            text.push_str(&format!("  cd {}\n", folder.display()));
        }
        for (command, why) in NEXT {
            text.push_str(&format!("  {command:<54}# {why}\n"));
        }
        text.push_str(
            "\nThe relay in the sample takes every message and sends none. Name a real one in postroad.toml when you \
             are ready.\n",
        );
        text
    })?;
    Ok(Exit::Ok)
}

/// The sample with a sending domain, so that a first campaign can be scheduled.
fn configuration() -> String {
    Config::sample().replacen(DOMAIN_EXAMPLE, &format!("{DOMAIN}{DOMAIN_EXAMPLE}"), 1)
}

fn make(folder: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Writes a file that is not there yet.
pub fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_a_configuration_with_a_domain() {
        let folder = tempfile::tempdir().unwrap();
        make(&folder.path().join("secrets"), 0o700).unwrap();
        write_new(&folder.path().join("secrets/postroad.key"), &"k".repeat(64), 0o600).unwrap();
        let path = folder.path().join("postroad.toml");
        let config = Config::parse(configuration(), &path, &|_| None).unwrap();
        assert_eq!(config.warnings, []);
        assert_eq!(config.domains.len(), 1);
        assert_eq!(config.pools.len(), 1);
    }
}
