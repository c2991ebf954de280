//! What an import did, row by row in sum.

use crate::columns::ColumnUse;
use crate::rejects::Rejection;
use postroad_model::ImportId;
use postroad_store::RowFate;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The fates of all rows; the others sum up to `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Rows with something in them; the header is none.
    pub rows: u64,
    /// New contacts.
    pub added: u64,
    /// Contacts that stood and got new data or came on the list.
    pub updated: u64,
    /// Contacts of which everything stood already.
    pub unchanged: u64,
    /// Rows laid over an earlier row with the same address.
    pub merged: u64,
    /// Rows refused, with a reason each.
    pub rejected: u64,
    /// Contacts whose data are kept, and the suppression that stands against them too.
    pub suppressed: u64,
    /// Contacts whose data are kept, and their wish to be off the list too.
    pub unsubscribed: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, fate: RowFate) {
        match fate {
            RowFate::Added => self.added += 1,
            RowFate::Updated => self.updated += 1,
            RowFate::Unchanged => self.unchanged += 1,
            RowFate::Suppressed => self.suppressed += 1,
            RowFate::Unsubscribed => self.unsubscribed += 1,
            RowFate::Collision => self.rejected += 1,
        }
    }

    /// True when every row is counted exactly once.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.rows
            == self.added
                + self.updated
                + self.unchanged
                + self.merged
                + self.rejected
                + self.suppressed
                + self.unsubscribed
    }
}

/// What an import did, or in a dry run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Its number, for `contact undo-import`; `None` for a dry run.
    pub import: Option<ImportId>,
    /// The list.
    pub list: String,
    /// What was read.
    pub source: String,
    /// What its text was in.
    pub charset: &'static str,
    /// Between its fields: comma, semicolon, tab or pipe.
    pub delimiter: &'static str,
    /// What its columns were taken for.
    pub columns: Vec<ColumnUse>,
    /// The fates of its rows.
    #[serde(flatten)]
    pub tally: Tally,
    /// Places that could not be read in the charset and stand as U+FFFD.
    pub unreadable: u64,
    /// Refused rows by kind of reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The first refused rows.
    pub first_rejected: Vec<Rejection>,
    /// Where the refused rows are.
    pub rejects_file: Option<PathBuf>,
}
