//! Records of bounded length out of text (RFC 4180 section 2, and what else is called CSV).
//!
//! Between `charset` and `columns`. It finds where a record ends and lets csv-core split it: the csv crate's own reader
//! would let one record grow as large as the file. A quotation mark that is never closed would swallow the rest of
//! the file; here it costs its own line, and reading goes on with the next. What must always hold: memory stays
//! under a few times [`ROW_MAX`], and line numbers are those that an editor shows. Blank rows are no rows.

use crate::charset::{Charset, TextReader};
use crate::source::Source;
use crate::{Error, Result};
use csv_core::ReadRecordResult;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Octets that one record may have.
pub(crate) const ROW_MAX: usize = 1 << 20;
/// Text that delimiter and columns are guessed from.
const SNIFF: usize = 64 * 1024;
/// Records that are looked at before the first is given out.
const SAMPLE_ROWS: usize = 50;

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    const ALL: [Self; 4] = [Self(b','), Self(b';'), Self(b'\t'), Self(b'|')];

    /// Reads `,`, `;`, `|`, a tab, `tab` or a name like `semicolon`.
    ///
    /// # Errors
    /// `Delimiter`.
    pub fn from_text(text: &str) -> Result<Self> {
        let octet = match text {
            "," | "comma" => b',',
            ";" | "semicolon" => b';',
            "\t" | "\\t" | "tab" => b'\t',
            "|" | "pipe" => b'|',
            _ => return Err(Error::Delimiter(text.to_owned())),
        };
        Ok(Self(octet))
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            b',' => "comma",
            b';' => "semicolon",
            b'\t' => "tab",
            _ => "pipe",
        }
    }
}

/// Fields of one record; the buffers are used again.
#[derive(Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
    len: usize,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, i: usize) -> &str {
        if i >= self.len {
            return "";
        }
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        // A field of a str without some of its ASCII octets is a str; should it ever not be, it reads as empty.
        std::str::from_utf8(&self.text[start..self.ends[i]]).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len).map(|i| self.get(i))
    }

    fn is_blank(&self) -> bool {
        self.iter().all(|f| f.trim().is_empty())
    }
}

/// Why a record cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Longer than [`ROW_MAX`].
    TooLong,
    /// A quotation mark is never closed.
    Quote,
}

/// What [`Table::next`] found; its fields are in [`Table::fields`].
pub(crate) enum Found {
    Row { line: u64 },
    Bad { line: u64, fault: Fault, start: String },
}

/// A table that is read from the top.
pub(crate) struct Table {
    pub name: String,
    pub read: Arc<AtomicU64>,
    pub fields: Fields,
    pub delimiter: Delimiter,
    text: TextReader,
    buffer: String,
    /// Where the next record begins in the buffer.
    position: usize,
    /// Lines before the next record.
    line: u64,
    ended: bool,
    parser: csv_core::Reader,
}

impl Table {
    pub(crate) fn open(
        source: Source,
        charset: Option<Charset>,
        delimiter: Option<Delimiter>,
    ) -> Result<Self> {
        let mut table = Self {
            name: source.name,
            read: source.read,
            fields: Fields::default(),
            delimiter: Delimiter(b','),
            text: TextReader::new(source.octets, charset),
            buffer: String::new(),
            position: 0,
            line: 0,
            ended: false,
            parser: csv_core::Reader::new(),
        };
        while table.buffer.len() < SNIFF && table.fill()? {}
        let declared = table.declared_delimiter();
        table.delimiter =
            delimiter.or(declared).unwrap_or_else(|| sniff(&table.buffer[table.position..]));
        table.parser = csv_core::ReaderBuilder::new().delimiter(table.delimiter.0).build();
        Ok(table)
    }

    pub(crate) fn charset(&self) -> Charset {
        self.text.charset()
    }

    /// How many places could not be read in the charset.
    pub(crate) fn malformed(&self) -> u64 {
        self.text.malformed
    }

    /// Excel's first line `sep=;`.
    fn declared_delimiter(&mut self) -> Option<Delimiter> {
        let rest = self.buffer.strip_prefix("sep=").or_else(|| self.buffer.strip_prefix("SEP="))?;
        let end = rest.find(['\r', '\n'])?;
        let found = Delimiter::from_text(&rest[..end]).ok()?;
        self.position = 4 + end;
        Some(found)
    }

    /// The first records that are not blank, without moving: the first is perhaps the header. Empty when there is
    /// none, or none of bounded length.
    pub(crate) fn peek(&mut self) -> Result<Vec<Vec<String>>> {
        self.find()?;
        let text = std::mem::take(&mut self.buffer);
        let (mut rows, mut rest) = (Vec::new(), &text[self.position..]);
        while rows.len() < SAMPLE_ROWS {
            let last = || if self.ended { stopped(rest, self.delimiter, self.ended) } else { None };
            let Some(record) = scan(rest, self.delimiter).or_else(last) else { break };
            if record.fault.is_none() {
                self.split(&rest[..record.len]);
                if !self.fields.is_blank() {
                    rows.push(self.fields.iter().map(str::to_owned).collect());
                }
            }
            rest = &rest[record.next..];
        }
        self.buffer = text;
        Ok(rows)
    }

    /// The next record that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        loop {
            let Some(record) = self.find()? else { return Ok(None) };
            let line = self.line + 1;
            let (start, end) = (self.position, self.position + record.len);
            let text = std::mem::take(&mut self.buffer);
            self.line += lines(&text[start..start + record.next]);
            let found = match record.fault {
                Some(fault) => {
                    let start = text[start..end].chars().take(2_000).collect();
                    Some(Found::Bad { line, fault, start })
                }
                None => {
                    self.split(&text[start..end]);
                    (!self.fields.is_blank()).then_some(Found::Row { line })
                }
            };
            self.buffer = text;
            self.position = start + record.next;
            if record.fault == Some(Fault::TooLong) {
                self.skip_line()?;
            }
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Finds the record at the position, reading on as far as its bound allows.
    fn find(&mut self) -> Result<Option<Record>> {
        loop {
            let rest = &self.buffer[self.position..];
            if let Some(record) = scan(rest, self.delimiter) {
                // A CR at the very end may be half of a CR LF.
                if record.next < rest.len() || self.ended || rest[..record.next].ends_with('\n') {
                    return Ok(Some(record));
                }
            } else if rest.len() > ROW_MAX || self.ended {
                return Ok(stopped(rest, self.delimiter, self.ended));
            }
            self.fill()?;
        }
    }

    /// Drops the rest of a line that is too long.
    fn skip_line(&mut self) -> Result<()> {
        loop {
            let rest = &self.buffer[self.position..];
            if let Some(end) = memchr::memchr2(b'\n', b'\r', rest.as_bytes()) {
                self.position += end;
                return Ok(());
            }
            self.position = self.buffer.len();
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<bool> {
        if self.position > 0 {
            self.buffer.drain(..self.position);
            self.position = 0;
        }
        let more = self.text.fill(&mut self.buffer).map_err(|source| Error::Read {
            name: self.name.clone(),
            bytes: self.read.load(Ordering::Relaxed),
            source,
        })?;
        self.ended |= !more;
        Ok(more)
    }

    /// Splits a record into `fields`, letters composed (NFC).
    fn split(&mut self, record: &str) {
        if !record.is_ascii() && is_nfc_quick(record.chars()) != IsNormalized::Yes {
            let composed: String = record.nfc().collect();
            split_into(&mut self.parser, &composed, &mut self.fields);
        } else {
            split_into(&mut self.parser, record, &mut self.fields);
        }
    }
}

fn split_into(parser: &mut csv_core::Reader, record: &str, fields: &mut Fields) {
    parser.reset();
    let mut input = record.as_bytes();
    fields.text.resize(fields.text.len().max(input.len() + 1), 0);
    fields.ends.resize(fields.ends.len().max(32), 0);
    let (mut written, mut ended) = (0, 0);
    loop {
        let (result, read, wrote, ends) =
            parser.read_record(input, &mut fields.text[written..], &mut fields.ends[ended..]);
        input = &input[read..];
        written += wrote;
        ended += ends;
        match result {
            // An empty input after the last octet means the end of the record.
            ReadRecordResult::InputEmpty => input = &[],
            ReadRecordResult::OutputFull => fields.text.resize(fields.text.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => fields.ends.resize(fields.ends.len() * 2, 0),
            ReadRecordResult::Record | ReadRecordResult::End => break,
        }
    }
    fields.len = ended;
}

/// A record in a text: its length, and where the next one begins.
struct Record {
    len: usize,
    next: usize,
    fault: Option<Fault>,
}

/// Lines that end in a text.
fn lines(text: &str) -> u64 {
    let octets = text.as_bytes();
    let ends = memchr::memchr2_iter(b'\n', b'\r', octets);
    ends.filter(|&i| octets[i] == b'\n' || octets.get(i + 1) != Some(&b'\n')).count() as u64
}

/// The length of a line break at this place.
fn break_len(octets: &[u8], at: usize) -> usize {
    if octets[at] == b'\r' && octets.get(at + 1) == Some(&b'\n') { 2 } else { 1 }
}

/// Finds the end of the record that a text begins with; `None` when it is not in the text.
fn scan(text: &str, delimiter: Delimiter) -> Option<Record> {
    let octets = text.as_bytes();
    let end = memchr::memchr2(b'\n', b'\r', octets)?;
    let end = if memchr::memchr(b'"', &octets[..end]).is_some() {
        scan_quoted(octets, delimiter)?
    } else {
        end
    };
    Some(Record { len: end, next: end + break_len(octets, end), fault: None })
}

/// As csv-core reads it: a quotation mark opens a field only at its beginning, two inside are one, and after the
/// closing one the field goes on to the next delimiter.
fn scan_quoted(octets: &[u8], delimiter: Delimiter) -> Option<usize> {
    let mut at = 0;
    let mut at_start = true;
    while at < octets.len() {
        match octets[at] {
            b'"' if at_start => {
                at += 1;
                loop {
                    at += memchr::memchr(b'"', octets.get(at..)?)? + 1;
                    if octets.get(at) == Some(&b'"') {
                        at += 1;
                    } else {
                        break;
                    }
                }
                at_start = false;
            }
            b'\n' | b'\r' => return Some(at),
            octet => {
                at_start = octet == delimiter.0;
                at += 1;
            }
        }
    }
    None
}

/// The text has no end of its record and there will be none: the file ended, or the bound is passed.
fn stopped(text: &str, delimiter: Delimiter, ended: bool) -> Option<Record> {
    let octets = text.as_bytes();
    if octets.is_empty() {
        return None;
    }
    let first_line = memchr::memchr2(b'\n', b'\r', octets);
    Some(match first_line {
        Some(end) => {
            Record { len: end, next: end + break_len(octets, end), fault: Some(Fault::Quote) }
        }
        None if ended => {
            let open = memchr::memchr(b'"', octets).is_some()
                && scan_quoted(&[octets, b"\n"].concat(), delimiter).is_none();
            let fault = open.then_some(Fault::Quote);
            Record { len: octets.len(), next: octets.len(), fault }
        }
        None => Record { len: octets.len(), next: octets.len(), fault: Some(Fault::TooLong) },
    })
}

/// The delimiter by which the first records have the most even number of fields.
fn sniff(text: &str) -> Delimiter {
    let mut best = (0.0, Delimiter::ALL[0]);
    for candidate in Delimiter::ALL {
        let mut parser = csv_core::ReaderBuilder::new().delimiter(candidate.0).build();
        let mut fields = Fields::default();
        let (mut rest, mut counts) = (text, Vec::new());
        while counts.len() < SAMPLE_ROWS {
            let last = || stopped(rest, candidate, true);
            let Some(record) = scan(rest, candidate).or_else(last) else { break };
            split_into(&mut parser, &rest[..record.len], &mut fields);
            if !fields.is_blank() {
                counts.push(fields.len());
            }
            rest = &rest[record.next..];
        }
        let Some(&header) = counts.first().filter(|n| **n > 1) else { continue };
        let same = counts.iter().filter(|n| **n == header).count();
        // Evenness first; more columns only decide between equals.
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most fifty rows and some thousand columns"
        )]
        let score = same as f64 / counts.len() as f64 + (header.min(1_000) as f64) / 10_000.0;
        if score > best.0 {
            best = (score, candidate);
        }
    }
    best.1
}
