//! Refused rows: why, and the file that gives them back.
//!
//! `FILE.rejects.csv` has the columns line, column and reason, then the row as it was: once corrected, it can be imported
//! as it is. It is made with the first refused row and is not there when all were taken; a dry run writes none.

use crate::table::{Fault, Fields};
use crate::{Error, Result};
use postroad_model::AddressError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

/// Refused rows that the report itself shows.
const SHOWN: usize = 20;

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("no address")]
    NoAddress,
    #[error("{0}")]
    Address(AddressError),
    #[error("the address has letters that cannot be read; is the charset another one? --charset")]
    Unreadable,
    #[error("{has} fields where the header has {wanted}; is a field with a delimiter not quoted?")]
    TooManyFields { has: usize, wanted: usize },
    #[error("the row is longer than 1 MiB")]
    TooLong,
    #[error("a quotation mark is never closed")]
    Quote,
    #[error("had unsubscribed where the file comes from")]
    OptedOut,
    #[error("another address has the same keyed hash; it cannot be kept beside it")]
    Collision,
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLong => Self::TooLong,
            Fault::Quote => Self::Quote,
        }
    }
}

impl Reason {
    /// Its kind in the report's counts.
    fn kind(&self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Address(_) => "bad_address",
            Self::Unreadable => "unreadable",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::TooLong => "too_long",
            Self::Quote => "unclosed_quote",
            Self::OptedOut => "opted_out",
            Self::Collision => "collision",
        }
    }
}

/// One refused row of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Its first line in the file.
    pub line: u64,
    /// The column that is at fault; empty when it is the row as a whole.
    pub column: String,
    /// Why.
    pub reason: String,
}

/// Collects refused rows.
pub(crate) struct Rejects {
    path: Option<PathBuf>,
    header: Vec<String>,
    writer: Option<csv::Writer<BufWriter<File>>>,
    pub count: u64,
    pub kinds: BTreeMap<&'static str, u64>,
    pub first: Vec<Rejection>,
}

impl Rejects {
    pub(crate) fn new(path: Option<PathBuf>, header: Vec<String>) -> Result<Self> {
        if let Some(path) = &path {
            // An older file of the same name would tell of another import.
            match std::fs::remove_file(path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Rejects { path: path.clone(), source }),
            }
        }
        Ok(Self { path, header, writer: None, count: 0, kinds: BTreeMap::new(), first: Vec::new() })
    }

    /// A record that was split.
    pub(crate) fn row(
        &mut self,
        line: u64,
        column: Option<usize>,
        reason: &Reason,
        fields: &Fields,
    ) -> Result<()> {
        let column = column.and_then(|i| self.header.get(i)).cloned().unwrap_or_default();
        self.note(line, column, reason, &mut fields.iter())
    }

    /// A record that is there only as text.
    pub(crate) fn text(&mut self, line: u64, reason: &Reason, text: &str) -> Result<()> {
        self.note(line, String::new(), reason, &mut std::iter::once(text))
    }

    fn note(
        &mut self,
        line: u64,
        column: String,
        reason: &Reason,
        original: &mut dyn Iterator<Item = &str>,
    ) -> Result<()> {
        self.count += 1;
        *self.kinds.entry(reason.kind()).or_default() += 1;
        let rejection = Rejection { line, column, reason: reason.to_string() };
        if let Some(path) = &self.path {
            let failed =
                |source: csv::Error| Error::Rejects { path: path.clone(), source: source.into() };
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let file = File::create(path)
                        .map_err(|source| Error::Rejects { path: path.clone(), source })?;
                    let mut writer =
                        csv::WriterBuilder::new().flexible(true).from_writer(BufWriter::new(file));
                    let header = ["line", "column", "reason"].into_iter();
                    writer
                        .write_record(header.chain(self.header.iter().map(String::as_str)))
                        .map_err(failed)?;
                    self.writer.insert(writer)
                }
            };
            let line = line.to_string();
            for cell in [line.as_str(), &rejection.column, &rejection.reason] {
                writer.write_field(cell).map_err(failed)?;
            }
            for cell in original {
                writer.write_field(cell).map_err(failed)?;
            }
            writer.write_record(None::<&[u8]>).map_err(failed)?;
        }
        if self.first.len() < SHOWN {
            self.first.push(rejection);
        }
        Ok(())
    }

    /// Writes out what is held; the file's name when there is one.
    pub(crate) fn close(&mut self) -> Result<Option<PathBuf>> {
        match (&mut self.writer, &self.path) {
            (Some(writer), Some(path)) => {
                writer.flush().map_err(|source| Error::Rejects { path: path.clone(), source })?;
                Ok(Some(path.clone()))
            }
            (Some(_) | None, _) => Ok(None),
        }
    }
}
