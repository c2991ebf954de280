//! `mailbox check`: log in to the configured mailboxes, list their folders, leave. Nothing is read or changed.

use crate::app::{App, Runs};
use crate::args::MailboxCheckArgs;
use crate::exit::{Exit, Fault};
use crate::output::Table;
use crate::wiring::credentials::Authorities;
use crate::wiring::ways::access;
use anyhow::Result;
use postroad_config::{AfterReading, Config, Mailbox, MailboxProtocol};
use postroad_mailbox::{Access, Imap, Opening, Pop3, Selectable};
use postroad_model::Clock;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A person waits: no part may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a mailbox said.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub mailbox: String,
    pub host: String,
    pub port: u16,
    pub ok: bool,
    pub said: String,
    pub folders: Vec<String>,
    /// Set when the login was refused or the server cannot serve us: a person must change something.
    pub needs_a_person: bool,
}

pub async fn run(app: &App, args: &MailboxCheckArgs) -> Result<Exit> {
    let config = app.config(Runs::Briefly)?;
    let wanted = |m: &&Mailbox| args.name.as_ref().is_none_or(|name| *name == m.name);
    if let Some(name) = args.name.as_ref().filter(|_| !config.mailboxes.iter().any(|m| wanted(&m)))
    {
        let text = format!("there is no [[mailbox]] named {name:?} in {}", config.path.display());
        return Err(Fault::new(Exit::Config, text).into());
    }
    if config.mailboxes.is_empty() {
        app.output.say("no mailbox is configured; docs/guide/bounces-in.md shows how");
    }
    let mut checked = check_all(&config, app.clock.clone()).await?;
    checked.retain(|c| args.name.as_ref().is_none_or(|name| *name == c.mailbox));
    app.output.show(&checked, |checked| table(checked))?;
    Ok(exit(checked.iter().map(|c| (c.ok, c.needs_a_person))))
}

/// How a check of mailboxes ends; of each whether it is well, and whether a person must change something.
pub fn exit(mut checked: impl Iterator<Item = (bool, bool)> + Clone) -> Exit {
    if checked.clone().all(|(ok, _)| ok) {
        Exit::Ok
    } else if checked.any(|(_, needs_a_person)| needs_a_person) {
        Exit::NoPermission
    } else {
        Exit::Unavailable
    }
}

/// Checks all mailboxes, one after the other.
pub async fn check_all(config: &Config, clock: Arc<dyn Clock>) -> Result<Vec<Checked>> {
    let mut authorities = Authorities::default();
    let mut all = Vec::new();
    for mailbox in &config.mailboxes {
        let open = access(mailbox, &mut authorities, &clock)?;
        let result = match open().await {
            Ok(mut access) => {
                access.timeouts.connect = PATIENCE;
                access.timeouts.login = PATIENCE;
                access.timeouts.command = PATIENCE;
                try_one(mailbox, &access).await.map_err(|e| (e.to_string(), e.needs_a_person()))
            }
            Err(why) => Err((why, true)),
        };
        let (host, port) = (mailbox.endpoint.host.clone(), mailbox.endpoint.port);
        let mailbox = mailbox.name.clone();
        all.push(match result {
            Ok((said, folders)) => {
                Checked { mailbox, host, port, ok: true, said, folders, needs_a_person: false }
            }
            Err((said, needs_a_person)) => Checked {
                mailbox,
                host,
                port,
                ok: false,
                said,
                folders: Vec::new(),
                needs_a_person,
            },
        });
    }
    Ok(all)
}

async fn try_one(
    mailbox: &Mailbox,
    access: &Access,
) -> postroad_mailbox::Result<(String, Vec<String>)> {
    match mailbox.protocol {
        MailboxProtocol::Imap => {
            let mut imap = Imap::open(access).await?;
            let folders = imap.folders().await?;
            let selected = imap.select(&mailbox.folder, Opening::ReadOnly).await?;
            let mut said = format!("{} messages in {}", selected.exists, mailbox.folder);
            if !imap.can("IDLE") {
                said.push_str(&format!(
                    "; it has no IDLE, so it is asked every {:?}",
                    mailbox.poll
                ));
            }
            let moves = [&mailbox.bounces, &mailbox.others];
            let moves = moves.iter().any(|a| matches!(a, AfterReading::Move(_)));
            if moves && !imap.can("MOVE") && !imap.can("UIDPLUS") {
                said.push_str("; it can move no messages, so they stay where they are");
            }
            imap.close().await;
            let names = folders.into_iter().filter(|f| f.selectable == Selectable::Yes);
            Ok((said, names.map(|f| f.name).collect()))
        }
        MailboxProtocol::Pop3 => {
            let mut pop3 = Pop3::open(access).await?;
            let count = pop3.unique_ids().await?.len();
            pop3.quit().await?;
            Ok((format!("{count} messages"), Vec::new()))
        }
    }
}

fn table(checked: &[Checked]) -> String {
    let mut table = Table::new(&["mailbox", "host", "", "said", "folders"]);
    for c in checked {
        let verdict = if c.ok { "ok" } else { "FAILED" };
        let host = format!("{}:{}", c.host, c.port);
        let folders = c.folders.join(", ");
        table.row([c.mailbox.clone(), host, verdict.into(), c.said.clone(), folders]);
    }
    table.to_string()
}
