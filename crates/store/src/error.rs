//! What can go wrong with the database, split by what the caller does about it.

/// A failed store call. `Display` says what was attempted on what; the driver's words are the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database file or server cannot be opened.
    #[error(
        "cannot open the database {url}: {source}; check that the path or server exists and may be written"
    )]
    Open {
        /// The address, without its password.
        url: String,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// The address is neither sqlite: nor postgres:.
    #[error("{0:?} is no database address: write sqlite:postroad.db or postgres://user@host/name")]
    Url(String),
    /// A migration failed or the database is newer than this program.
    #[error(
        "cannot bring the database to this program's schema: {source}; a database that is newer needs a newer postroad"
    )]
    Migrate {
        /// The driver's words.
        source: sqlx::migrate::MigrateError,
    },
    /// Another engine works on the same SQLite file.
    #[error(
        "{path} is in use by another postroad engine; stop it, or let it do the work (other commands meet it through the database)"
    )]
    EngineLocked {
        /// The lock file.
        path: String,
    },
    /// The lock file cannot be made.
    #[error("cannot take the engine lock {path}: {source}")]
    LockFile {
        /// The lock file.
        path: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The server is not set up safely.
    #[error(
        "the PostgreSQL server has synchronous_commit = {0}; postroad needs on, or a crash could send twice"
    )]
    NotDurable(String),
    /// The database belongs to another secret key.
    #[error(
        "this database was made with another secret key ({stored}) than the configured one ({given}); restore the key file it was made with"
    )]
    OtherKey {
        /// Fingerprint in the database.
        stored: String,
        /// Fingerprint of the configured key.
        given: String,
    },
    /// A statement failed.
    #[error("{what}: {source}{}", advice(source))]
    Statement {
        /// The statement's name.
        what: &'static str,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// A row that cannot be read as what it should be.
    #[error(
        "table {table}, column {column}, row {id}: the value is not one of ours; was the database changed by hand?"
    )]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// Something named does not exist.
    #[error("no {kind} named {name:?}{hint}")]
    NotFound {
        /// `list`, `campaign`, ...
        kind: &'static str,
        /// The name.
        name: String,
        /// What to do about it, starting with `; `, or empty.
        hint: String,
    },
    /// A name is taken.
    #[error("a {kind} named {name:?} exists already")]
    Exists {
        /// `list`, `campaign`, ...
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The campaign's state forbids it.
    #[error("campaign {name:?}: {source}")]
    Transition {
        /// The campaign.
        name: String,
        /// Which transition.
        source: postroad_model::campaign::InvalidTransition,
    },
    /// A limit cannot be kept.
    #[error("limit {name:?} of {scope}: {source}")]
    Limit {
        /// The scope.
        scope: String,
        /// The limit's name.
        name: String,
        /// Why.
        source: postroad_model::ledger::LedgerError,
    },
    /// A value does not fit its JSON column.
    #[error("cannot write {what} as JSON: {source}")]
    Json {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// This node no longer holds the once-only job.
    #[error("the job {job:?} was taken over by another node; it goes on there")]
    JobLost {
        /// The job.
        job: String,
    },
    /// This node no longer holds the lane.
    #[error("the lane of relay {relay} is held by another node or its lease ran out")]
    LaneLost {
        /// The relay.
        relay: i64,
    },
}

/// What to do about a driver's error, beginning with `; `, or nothing.
fn advice(source: &sqlx::Error) -> &'static str {
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // SQLITE_FULL, disk_full.
        Some("13" | "53100") => {
            "; free some disk space and run the same command again: it goes on where it was"
        }
        // SQLITE_BUSY, SQLITE_LOCKED.
        Some("5" | "6" | "517") => "; another program holds the database: end it or try again",
        // SQLITE_READONLY.
        Some("8") => "; the file or its folder may not be written: check its owner and mode",
        Some(_) | None => "",
    }
}

impl Error {
    /// True when the database is away or busy and the same call may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Self::Statement { source, .. } | Self::Open { source, .. } = self {
            is_transient(source)
        } else {
            false
        }
    }

    /// True when it is not known whether the transaction happened: its end was asked for, and no answer of the database
    /// says that it failed. Ask [`crate::Store::look_up`] before anything else.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Statement { what: COMMIT, source } if !is_refusal(source))
    }

    /// True when the database's user lacks a right (PostgreSQL: insufficient_privilege).
    pub(crate) fn is_forbidden(&self) -> bool {
        if let Self::Statement { source: sqlx::Error::Database(e), .. } = self {
            e.code().as_deref() == Some("42501")
        } else {
            false
        }
    }

    /// True for serialization failures and deadlocks: repeat the whole transaction.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        if let Self::Statement { source: sqlx::Error::Database(e), .. } = self {
            matches!(e.code().as_deref(), Some("40001" | "40P01"))
        } else {
            false
        }
    }
}

/// The name of an error at a transaction's end.
pub(crate) const COMMIT: &str = "commit";

/// A database's code for an error.
enum Code<'a> {
    /// The primary code, without what SQLite adds to it (`SQLITE_IOERR_FSYNC` is 10 + 4 * 256).
    Sqlite(u32),
    /// SQLSTATE.
    Postgres(&'a str),
}

impl<'a> Code<'a> {
    fn of(code: &'a str) -> Self {
        match code.parse::<u32>() {
            // SQLSTATE has five characters; SQLite's codes have four at most.
            Ok(n) if code.len() < 5 => Self::Sqlite(n & 0xff),
            Ok(_) | Err(_) => Self::Postgres(code),
        }
    }
}

/// True when the database itself says that a transaction failed, so that nothing of it is written. Whoever is cut off,
/// or told that the server goes down or that the disk answers no more, does not know.
pub(crate) fn is_refusal(source: &sqlx::Error) -> bool {
    let sqlx::Error::Database(e) = source else { return false };
    match Code::of(e.code().as_deref().unwrap_or_default()) {
        // IOERR
        Code::Sqlite(code) => code != 10,
        // The connection's own faults; admin_shutdown, crash_shutdown and their like.
        Code::Postgres(code) => !code.starts_with("08") && !code.starts_with("57P0"),
    }
}

fn is_transient(source: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(e) = source {
        return match Code::of(e.code().as_deref().unwrap_or_default()) {
            // BUSY, LOCKED, IOERR, FULL
            Code::Sqlite(code) => matches!(code, 5 | 6 | 10 | 13),
            // Conflicts, a session that idled; connection, resources, operator.
            Code::Postgres(code) => {
                matches!(code, "40001" | "40P01" | "25P03")
                    || ["08", "53", "57"].iter().any(|class| code.starts_with(class))
            }
        };
    }
    matches!(
        source,
        sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            // A session that is still in a lost transaction; it is given up, and the next call has another.
            | sqlx::Error::InvalidSavePointStatement
            | sqlx::Error::BeginFailed
            | sqlx::Error::Protocol(_)
    )
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn a_code_is_read_as_the_engine_wrote_it() {
        for (code, want) in [("13", 13), ("1034", 10), ("517", 5)] {
            assert!(matches!(Code::of(code), Code::Sqlite(n) if n == want), "{code}");
        }
        for code in ["40001", "57P01", "08006", ""] {
            assert!(matches!(Code::of(code), Code::Postgres(c) if c == code), "{code}");
        }
    }
}
