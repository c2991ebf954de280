//! `seed check`: logs in, finds the folders, says what is missing. Nothing is written and nothing in the mailbox changes.

use crate::folders::{Needed, places};
use crate::{Error, Result, SeedBox};
use postroad_mailbox::{Error as MailError, Imap, Opening};
use postroad_model::placement::Placement;
use serde::Serialize;
use std::time::Duration;

/// A person waits: no part may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a mailbox said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The seed's name.
    pub seed: String,
    /// Who hosts it.
    pub provider: &'static str,
    /// Inbox and junk can be looked into.
    pub ok: bool,
    /// A person must change something: the login was refused, or the server cannot serve us.
    pub needs_a_person: bool,
    /// What failed, or what to know.
    pub said: Vec<String>,
    /// The inbox.
    pub inbox: Option<String>,
    /// Where spam goes.
    pub junk: Vec<String>,
    /// The other folders that are looked into.
    pub others: Vec<String>,
}

/// Checks one mailbox.
pub async fn check(seed: &SeedBox) -> Checked {
    let mut checked = Checked {
        seed: seed.name.clone(),
        provider: seed.provider.as_str(),
        ok: false,
        needs_a_person: false,
        said: Vec::new(),
        inbox: None,
        junk: Vec::new(),
        others: Vec::new(),
    };
    match look(seed, &mut checked).await {
        Ok(()) => checked.ok = true,
        Err(error) => {
            checked.needs_a_person = error.needs_a_person();
            checked.said.insert(0, error.to_string());
        }
    }
    checked
}

async fn look(seed: &SeedBox, checked: &mut Checked) -> Result<()> {
    let mut access = (seed.access)().await.map_err(Error::Access)?;
    access.timeouts.connect = PATIENCE;
    access.timeouts.login = PATIENCE;
    access.timeouts.command = PATIENCE;
    let mut imap = Imap::open(&access).await?;
    let folders = imap.folders().await?;
    for place in places(&folders) {
        match place.means {
            Placement::Inbox | Placement::Promotions => {
                imap.select(&place.name, Opening::ReadOnly).await?;
                checked.inbox = Some(place.title);
            }
            Placement::Spam => {
                let opened = imap.select(&place.name, Opening::ReadOnly).await;
                match (opened, place.needed) {
                    (Ok(_), _) => checked.junk.push(place.title),
                    (Err(MailError::Refused { said, .. }), Needed::No) => {
                        checked.said.push(format!("{} cannot be opened: {said}", place.title));
                    }
                    (Err(error), _) => return Err(error.into()),
                }
            }
            Placement::Other
            | Placement::NotSent
            | Placement::Pending
            | Placement::Missing
            | Placement::Unknown => checked.others.push(place.title),
        }
    }
    if checked.junk.is_empty() {
        checked.said.push(
            "no folder for spam is known here, so a copy in spam would count as missing; show the folder over IMAP in the \
             mailbox's settings, or name it Junk"
                .into(),
        );
    }
    if seed.provider == postroad_model::MailboxProvider::Google && !imap.can("X-GM-EXT-1") {
        checked.said.push("it has no X-GM-EXT-1, so its tabs cannot be told apart".into());
    }
    imap.close().await;
    Ok(())
}
