//! Reads people out of CSV files, says exactly which lines it refused and why, and writes them out again.
//!
//! Called by cli (`contact import|export`, `suppression import`); calls the store, slice by slice. The way of a line:
//! `source` (file or stream, gzip, what is no text) -> `charset` (UTF-8 out of anything) -> `table` (records of
//! bounded length) -> `columns` (which column is what) -> `person` (a contact or a reason) -> `window` (duplicates,
//! order) -> the store. CSV is RFC 4180 with what people really have: other delimiters, lone CR, ragged ends. What
//! must always hold: memory is bounded whatever the file holds; every row is counted exactly once in the report;
//! nothing is written before an address column is known. It re-subscribes nobody and lifts no suppression.

mod charset;
mod columns;
mod error;
mod export;
mod headers;
mod import;
mod mapping;
mod person;
mod rejects;
mod report;
mod source;
mod suppress;
mod table;
mod value;
mod window;

pub use charset::Charset;
pub use columns::{ColumnUse, UsedAs};
pub use error::Error;
pub use export::{export_contacts, export_suppressions};
pub use import::{ImportOptions, Input, MissingList, Progress, import_contacts};
pub use mapping::Mapping;
pub use rejects::Rejection;
pub use report::{ImportReport, Tally};
pub use suppress::{SuppressionOptions, SuppressionReport, import_suppressions};
pub use table::Delimiter;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
