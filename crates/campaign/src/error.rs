//! What can go wrong with a campaign, split by what the caller shows.

use crate::filter::FilterError;
use crate::finding::Finding;
use crate::identity::IdentityError;
use crate::spec::SpecError;
use std::path::PathBuf;

/// A failed call of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's.
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
    /// The campaign's file.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The filter.
    #[error("the filter cannot be used: {0}")]
    Filter(#[from] FilterError),
    /// The template, all faults at once.
    #[error("the template cannot be used:\n{}", lines(.0))]
    Template(Vec<postroad_render::TemplateIssue>),
    /// No plan can be made.
    #[error("no plan can be made: {0}")]
    Plan(#[from] postroad_planner::Error),
    /// The zone or time.
    #[error(transparent)]
    When(#[from] postroad_model::when::WhenError),
    /// A relay cannot send as the campaign's From.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The pool is not in the configuration.
    #[error("no pool named {name:?} in the configuration; it has: {known}")]
    UnknownPool {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The relay is not in the pool.
    #[error("relay {name:?} is not in pool {pool:?}, which has: {known}")]
    UnknownRelay {
        /// The name.
        name: String,
        /// The pool.
        pool: String,
        /// Its relays.
        known: String,
    },
    /// `schedule` refuses; nothing was changed.
    #[error("the campaign was not scheduled:\n{}", lines(.0))]
    Refused(Vec<Finding>),
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// `read`, `write`, `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// `campaign new` overwrites nothing.
    #[error("{} exists already; choose another name or edit it there", .0.display())]
    Exists(PathBuf),
    /// No shipped template of that name.
    #[error("no shipped template named {name:?} in {locale}; there are: {known}")]
    UnknownTemplate {
        /// The name.
        name: String,
        /// The language.
        locale: String,
        /// The names that exist.
        known: String,
    },
    /// Contact data that cannot be read back.
    #[error(
        "contact {0}: its stored attributes are not an object; was the database changed by hand?"
    )]
    Attributes(i64),
    /// The states that `retry` was given cannot be reopened.
    #[error(
        "rows that are {0} cannot be retried; rejected, failed, expired, bounced and unknown can"
    )]
    NotRetried(&'static str),
    /// The canary's verdict stands.
    #[error(
        "campaign {name} is held by its canary: {why}; `postroad seed report --campaign {name}` shows each copy, \
         `postroad campaign resume {name} --anyway` sends the rest all the same"
    )]
    CanaryHolds {
        /// The campaign.
        name: String,
        /// The verdict's reason.
        why: String,
    },
    /// A background task died.
    #[error("a composing thread died: {0}")]
    Thread(String),
}

fn lines<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(|i| format!("  {i}")).collect::<Vec<_>>().join("\n")
}
