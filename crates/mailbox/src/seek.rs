//! Looking for a message without reading it: its header, when the server took it, one field of many messages.
//!
//! Used by `placement`. RFC 3501 section 6.4.5: BODY.PEEK, so that nothing is marked as read. What must always hold:
//! every answer has a bound; of many messages no more are asked about than the caller named.

use crate::imap::{Imap, bounded};
use crate::link::ALLOWANCE;
use crate::{Result, received};
use async_imap::types::Fetch;
use futures_util::TryStreamExt;
use postroad_model::Timestamp;

/// As much of a header is read: what says where a mail came from stands at its top.
const HEAD_MAX: usize = 128 * 1024;

/// A message's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its octets, at most 128 KiB.
    pub bytes: Vec<u8>,
    /// When the server took it, by its own clock (INTERNALDATE).
    pub internal_date: Option<Timestamp>,
}

impl Imap {
    /// The header of a message in the open folder; `None` when it is gone.
    ///
    /// # Errors
    /// What failed.
    pub async fn head(&mut self, uid: u32) -> Result<Option<Head>> {
        let (server, within) = (self.server.clone(), self.within);
        let session = self.session(ALLOWANCE)?;
        let fetched = async {
            let query = "(UID INTERNALDATE BODY.PEEK[HEADER])";
            let mut answers = session.uid_fetch(uid.to_string(), query).await?;
            let mut head = None;
            while let Some(answer) = answers.try_next().await? {
                // The server may tell of other messages in between (RFC 3501 section 7).
                if answer.uid == Some(uid)
                    && let Some(header) = answer.header()
                {
                    let bytes = header.iter().take(HEAD_MAX).copied().collect();
                    head = Some(Head { bytes, internal_date: internal_date(&answer) });
                }
            }
            Ok(head)
        };
        bounded(&server, &format!("fetch the header of message {uid}"), within, fetched).await
    }

    /// One header field of each of these messages in the open folder, where they have it.
    ///
    /// # Errors
    /// What failed.
    pub async fn fields(&mut self, uids: &[u32], name: &str) -> Result<Vec<(u32, String)>> {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let (server, within) = (self.server.clone(), self.within);
        let session = self.session(ALLOWANCE)?;
        let set: Vec<String> = uids.iter().map(u32::to_string).collect();
        let name: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let fetched = async {
            let query = format!("(UID BODY.PEEK[HEADER.FIELDS ({name})])");
            let mut answers = session.uid_fetch(set.join(","), query).await?;
            let mut found = Vec::new();
            while let Some(answer) = answers.try_next().await? {
                if let (Some(uid), Some(header)) = (answer.uid, answer.header())
                    && uids.contains(&uid)
                    && let Some(value) = received::field(header, &name)
                {
                    found.push((uid, value));
                }
            }
            Ok(found)
        };
        bounded(&server, "fetch headers", within, fetched).await
    }
}

fn internal_date(answer: &Fetch) -> Option<Timestamp> {
    answer.internal_date().map(|at| Timestamp(at.timestamp_millis()))
}
