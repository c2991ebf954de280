//! How far a folder was read: what the caller keeps so that each message is handed over once.
//!
//! RFC 3501 section 2.3.1.1: UIDs grow within one UIDVALIDITY and mean nothing under another; RFC 1939 section 7: a
//! POP3 unique-id names a message as long as it lies there. What must always hold: a message that was not handed over is never behind the
//! position. A folder that was made anew is read again from its look-back: whoever records must know what it has.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far a folder was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Over IMAP.
    Imap {
        /// The folder's UIDVALIDITY.
        validity: u32,
        /// The last UID that was dealt with.
        uid: u32,
    },
    /// Over POP3: the unique-ids dealt with that still lie there.
    Pop3 {
        /// The unique-ids.
        seen: BTreeSet<String>,
    },
}

impl Position {
    /// The first UID that is new under this validity; `None` when the folder must be looked at from its look-back.
    #[must_use]
    pub fn next_uid(position: Option<&Self>, validity: u32) -> Option<u32> {
        match position {
            Some(Self::Imap { validity: known, uid }) if *known == validity => {
                Some(uid.saturating_add(1))
            }
            Some(Self::Imap { .. } | Self::Pop3 { .. }) | None => None,
        }
    }

    /// The unique-ids that were dealt with, without those that are gone from the server.
    #[must_use]
    pub fn still_seen(position: Option<&Self>, listed: &[(u32, String)]) -> BTreeSet<String> {
        let Some(Self::Pop3 { seen }) = position else { return BTreeSet::new() };
        listed.iter().filter(|(_, id)| seen.contains(id)).map(|(_, id)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_made_anew_is_read_from_its_look_back() {
        let check = |position: Option<Position>, validity, expected| {
            assert_eq!(Position::next_uid(position.as_ref(), validity), expected, "{position:?}");
        };
        check(Some(Position::Imap { validity: 7, uid: 41 }), 7, Some(42));
        check(Some(Position::Imap { validity: 7, uid: 41 }), 8, None);
        check(Some(Position::Imap { validity: 7, uid: u32::MAX }), 7, Some(u32::MAX));
        check(Some(Position::Pop3 { seen: BTreeSet::new() }), 7, None);
        check(None, 7, None);
    }

    #[test]
    fn what_is_gone_from_the_server_is_forgotten() {
        let seen = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let listed = [(1, "b".to_owned()), (2, "c".to_owned())];
        let still = Position::still_seen(Some(&Position::Pop3 { seen }), &listed);
        assert_eq!(still, BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn a_position_survives_its_note() {
        for position in [
            Position::Imap { validity: 1, uid: 2 },
            Position::Pop3 { seen: BTreeSet::from(["x".to_owned()]) },
        ] {
            let note = serde_json::to_string(&position).unwrap();
            assert_eq!(serde_json::from_str::<Position>(&note).unwrap(), position);
        }
    }
}
