//! Some ten thousand rows between the reading thread and the database.
//!
//! Two things happen to them: rows with one address become one row, the later laid over the earlier; and they are sorted
//! by their keyed hash, so that a slice touches few pages of the unique index on it instead of as many as it has rows
//! (the write-ahead log is what bounds the speed of an import). Their JSON is made here too, beside the database's work. Duplicates farther apart are known by a set of eight
//! octets a row. What must always hold: rows in = rows out + merged + collisions, and no two addresses merge.

use crate::Result;
use postroad_store::{Attributes, IMPORT_SLICE, ImportRow, ImportSlice};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Rows of one window.
const ROWS: usize = 12 * IMPORT_SLICE;
/// Octets of one window, roughly; its JSON has as many again.
const OCTETS: usize = 16 << 20;

/// Rows for the database, each address once.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub slices: Vec<ImportSlice>,
    /// Beside each row of all slices: its line, and whether an earlier window had its address.
    pub marks: Vec<Mark>,
    /// Rows that were laid over another one.
    pub merged: u64,
    /// Lines whose address has the hash of another one.
    pub collisions: Vec<(u64, String)>,
}

/// What is known of a row beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub line: u64,
    pub seen_before: bool,
}

/// The hashes are as good as random already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for o in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*o);
        }
    }

    fn write_i64(&mut self, n: i64) {
        self.0 = n.cast_unsigned();
    }
}

/// Collects rows into windows.
#[derive(Default)]
pub(crate) struct Windows {
    rows: Vec<(ImportRow, u64)>,
    octets: usize,
    seen: HashSet<i64, BuildHasherDefault<AsIs>>,
}

impl Windows {
    /// Takes a row; a full window comes back.
    pub(crate) fn push(&mut self, row: ImportRow, line: u64) -> Result<Option<Window>> {
        self.octets += row.attributes.len() + row.name.as_ref().map_or(0, String::len) + 200;
        self.rows.push((row, line));
        if self.rows.len() >= ROWS || self.octets >= OCTETS {
            self.take().map(Some)
        } else {
            Ok(None)
        }
    }

    /// What is collected so far.
    pub(crate) fn take(&mut self) -> Result<Window> {
        let mut rows = std::mem::take(&mut self.rows);
        self.octets = 0;
        // Stable: equal hashes stay in the order of the file.
        rows.sort_by_key(|(row, _)| row.hash);
        let mut window = Window::default();
        let mut slice: Vec<ImportRow> = Vec::new();
        for (row, line) in rows {
            match slice.last_mut().filter(|last| last.hash == row.hash) {
                Some(last) if last.address.key() == row.address.key() => {
                    lay_over(last, row);
                    window.merged += 1;
                }
                Some(_) => window.collisions.push((line, row.address.to_string())),
                None => {
                    if slice.len() == IMPORT_SLICE {
                        window.slices.push(ImportSlice::new(std::mem::take(&mut slice))?);
                    }
                    let seen_before = !self.seen.insert(row.hash);
                    window.marks.push(Mark { line, seen_before });
                    slice.push(row);
                }
            }
        }
        if !slice.is_empty() {
            window.slices.push(ImportSlice::new(slice)?);
        }
        Ok(window)
    }
}

/// The later row's cells win where it has any.
fn lay_over(earlier: &mut ImportRow, later: ImportRow) {
    if later.name.is_some() {
        earlier.name = later.name;
    }
    if later.attributes == earlier.attributes || later.attributes == "{}" {
        return;
    }
    let read = |text: &str| serde_json::from_str::<Attributes>(text).unwrap_or_default();
    let mut all = read(&earlier.attributes);
    all.extend(read(&later.attributes));
    earlier.attributes = serde_json::Value::Object(all).to_string();
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_model::{EmailAddress, MailboxProvider};

    fn row(hash: i64, address: &str, name: Option<&str>, attributes: &str) -> ImportRow {
        ImportRow {
            address: EmailAddress::parse(address).unwrap(),
            hash,
            provider: MailboxProvider::Other,
            name: name.map(str::to_owned),
            attributes: attributes.to_owned(),
        }
    }

    #[test]
    fn the_later_row_of_one_address_is_laid_over_the_earlier() {
        let mut windows = Windows::default();
        windows.push(row(5, "An@b.vn", Some("An"), r#"{"a":1,"b":2}"#), 2).unwrap();
        windows.push(row(3, "other@b.vn", None, "{}"), 3).unwrap();
        windows.push(row(5, "an@b.vn", None, r#"{"b":3}"#), 4).unwrap();
        let window = windows.take().unwrap();
        assert_eq!(window.merged, 1);
        let expected =
            [row(3, "other@b.vn", None, "{}"), row(5, "An@b.vn", Some("An"), r#"{"a":1,"b":3}"#)];
        assert_eq!(window.slices[0].rows(), expected);
        assert_eq!(window.marks[1], Mark { line: 2, seen_before: false });
    }

    #[test]
    fn an_address_of_an_earlier_window_is_marked() {
        let mut windows = Windows::default();
        windows.push(row(5, "an@b.vn", None, "{}"), 2).unwrap();
        windows.take().unwrap();
        windows.push(row(5, "an@b.vn", None, "{}"), 9).unwrap();
        assert_eq!(windows.take().unwrap().marks, [Mark { line: 9, seen_before: true }]);
    }

    #[test]
    fn two_addresses_with_one_hash_never_merge() {
        let mut windows = Windows::default();
        windows.push(row(5, "an@b.vn", None, "{}"), 2).unwrap();
        windows.push(row(5, "binh@b.vn", None, "{}"), 3).unwrap();
        let window = windows.take().unwrap();
        assert_eq!((window.slices[0].rows().len(), window.merged), (1, 0));
        assert_eq!(window.collisions, [(3, "binh@b.vn".to_owned())]);
    }
}
