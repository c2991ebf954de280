//! What ends an import as a whole. A bad row does not: it is a `Rejection`.

use std::path::PathBuf;

/// A failed import or export; says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Reading stopped in the middle.
    #[error(
        "cannot read on in {name} after {bytes} bytes: {source}; the rows before are in, and a whole file can be imported again"
    )]
    Read {
        /// The source.
        name: String,
        /// How far it went.
        bytes: u64,
        /// The system's words.
        source: std::io::Error,
    },
    /// Not a text file.
    #[error("{name} is {what}, not a CSV file: save it as CSV (UTF-8) and import that")]
    Binary {
        /// The source.
        name: String,
        /// What it looks like.
        what: &'static str,
    },
    /// No row at all.
    #[error("{name} is empty: there is no header row and nobody in it")]
    Empty {
        /// The source.
        name: String,
    },
    /// Nobody can tell where the addresses are.
    #[error("{name} has no address column: its columns are {columns}; {hint}")]
    NoAddressColumn {
        /// The source.
        name: String,
        /// Their names.
        columns: String,
        /// What to say.
        hint: String,
    },
    /// `--map` cannot be understood.
    #[error("--map {text:?}: {why}")]
    Mapping {
        /// The part that is wrong.
        text: String,
        /// Why, and what would be right.
        why: String,
    },
    /// `--charset` names none.
    #[error(
        "no charset named {0:?}: try utf-8, utf-16le, windows-1252, windows-1258, shift_jis or gb18030"
    )]
    Charset(String),
    /// `--delimiter` is none.
    #[error("{0:?} is no delimiter: one of , ; | or tab")]
    Delimiter(String),
    /// The file for refused rows cannot be written.
    #[error("cannot write the refused rows to {path}: {source}", path = path.display())]
    Rejects {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The export cannot be written.
    #[error("cannot write the export: {0}")]
    Write(std::io::Error),
    /// The thread that reads the file died.
    #[error("the reader of {0} stopped without a word; this is a fault of the program")]
    Reader(String),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
}
