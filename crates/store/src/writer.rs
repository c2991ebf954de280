//! The sessions that write: SQLite's one writing connection, and PostgreSQL's kept session for W2 and W3.
//!
//! Under `backend` and `writes`. A pool asks a connection whether it lives before and after each use, and a
//! transaction of five statements crosses five times to the database and back; with 20 connections waiting for their
//! permits that was most of a commit's time. So W2 and W3 are one call of a procedure that lives only in the session
//! (a temporary trigger on SQLite, a temporary function on PostgreSQL), made from the very statements that
//! `Store::write` runs one by one where it must tell rows apart. The call is a transaction of its own. What must always
//! hold: it writes all of a batch, or nothing and says that the batch is uneven.

use crate::counters::COUNTERS_ADD;
use crate::error::{COMMIT, is_refusal};
use crate::writes::{WRITE_ATTEMPTS, WRITE_INTENTS, WRITE_LANES, WRITE_SETTLES};
use crate::{Engine, Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::ops::{Deref, DerefMut};
use tokio::sync::{Mutex, MutexGuard};

/// What the procedure raises when a row of the batch did not move.
const UNEVEN: &str = "uneven batch";

/// The procedure's name in error messages.
const PROCEDURE: &str = "write_procedure";

/// One batch for the procedure: JSON arrays, and how many rows the first and the third must move.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) settles: String,
    pub(crate) records: String,
    pub(crate) intents: String,
    pub(crate) lanes: String,
    pub(crate) counts: String,
    pub(crate) n_settles: i64,
    pub(crate) n_intents: i64,
    pub(crate) at: i64,
}

/// How a call ended that changed nothing, or may have.
#[derive(Debug)]
pub(crate) enum NotCalled {
    /// Some row did not move, or the session may have no procedure; nothing is written.
    Uneven,
    /// The database's error. [`Error::may_have_happened`] where no answer says that it failed.
    Failed(Error),
}

fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Statement { what, source }
}

/// SQLite's writing connection: one at a time, in the order in which they asked. After a fault that leaves it in a
/// state that nobody knows, the next turn gets another.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    writing: Mutex<Writing>,
}

enum Writing {
    /// It may be used.
    Ready { connection: SqliteConnection, has_procedure: bool },
    /// The last one is given up.
    Spoilt,
    /// For good.
    Closed,
}

/// The right to write, until it is dropped.
pub(crate) struct Turn<'a>(MutexGuard<'a, Writing>);

impl Writer {
    pub(crate) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = options.connect().await?;
        let writing = Mutex::new(Writing::Ready { connection, has_procedure: false });
        Ok(Self { options, writing })
    }

    /// Waits for the connection.
    ///
    /// # Errors
    /// After [`Writer::close`]; when another connection is needed and cannot be made.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>> {
        let mut guard = self.writing.lock().await;
        match &*guard {
            Writing::Ready { .. } => {}
            Writing::Spoilt => {
                let connection = self.options.connect().await.map_err(failed("begin"))?;
                *guard = Writing::Ready { connection, has_procedure: false };
            }
            Writing::Closed => return Err(failed("begin")(sqlx::Error::PoolClosed)),
        }
        Ok(Turn(guard))
    }

    pub(crate) async fn close(&self) {
        let writing = std::mem::replace(&mut *self.writing.lock().await, Writing::Closed);
        if let Writing::Ready { connection, .. } = writing {
            // What is left in the WAL is read at the next start.
            let _ = connection.close().await;
        }
    }
}

/// Why a turn has a connection.
const READY: &str = "a turn is given only with a connection, and spoiling ends it";

impl Deref for Turn<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &*self.0 {
            Writing::Ready { connection, .. } => Some(connection),
            Writing::Spoilt | Writing::Closed => None,
        }
        .expect(READY)
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut *self.0 {
            Writing::Ready { connection, .. } => Some(connection),
            Writing::Spoilt | Writing::Closed => None,
        }
        .expect(READY)
    }
}

impl Turn<'_> {
    /// Gives the connection up: whether a transaction is open on it is not known (the driver counts by the answers, and
    /// SQLite ends a transaction by itself where the disk is full or fails). Dropped, it rolls back what is left.
    pub(crate) fn spoil(mut self) {
        *self.0 = Writing::Spoilt;
    }

    pub(crate) async fn call(mut self, call: &Call) -> std::result::Result<(), NotCalled> {
        let done = self.call_once(call).await;
        if let Err(NotCalled::Failed(error)) = &done {
            // A row that is refused spoils nothing, but it is too rare to be told from what does.
            tracing::debug!(%error, "the writing connection is made anew");
            self.spoil();
        }
        done
    }

    async fn call_once(&mut self, call: &Call) -> std::result::Result<(), NotCalled> {
        if let Writing::Ready { connection, has_procedure } = &mut *self.0
            && !*has_procedure
        {
            for part in [SQLITE_INPUT.to_owned(), sqlite_procedure()] {
                sqlx::raw_sql(AssertSqlSafe(part))
                    .execute(&mut *connection)
                    .await
                    .map_err(|e| NotCalled::Failed(failed(PROCEDURE)(e)))?;
            }
            *has_procedure = true;
        }
        let done = sqlx::query(SQLITE_CALL)
            .bind(&call.settles)
            .bind(&call.records)
            .bind(&call.intents)
            .bind(&call.counts)
            .bind(call.n_settles)
            .bind(call.n_intents)
            .bind(call.at)
            .execute(&mut **self)
            .await;
        done.map(drop).map_err(not_called)
    }
}

fn not_called(source: sqlx::Error) -> NotCalled {
    if source.as_database_error().is_some_and(|e| e.message().contains(UNEVEN)) {
        NotCalled::Uneven
    } else {
        let what = if is_refusal(&source) { PROCEDURE } else { COMMIT };
        NotCalled::Failed(failed(what)(source))
    }
}

/// PostgreSQL's session for the procedure; made when it is needed and again after a fault.
pub(crate) struct Kept {
    options: PgConnectOptions,
    session: Mutex<Session>,
}

enum Session {
    /// To be made at the next call.
    Absent,
    /// With the procedure in it.
    Open(PgConnection),
    /// This user may make nothing temporary: batches are written statement by statement until a restart.
    Forbidden,
}

impl Kept {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self { options, session: Mutex::new(Session::Absent) }
    }

    pub(crate) async fn call(&self, call: &Call) -> std::result::Result<(), NotCalled> {
        let mut guard = self.session.lock().await;
        let mut session = match std::mem::replace(&mut *guard, Session::Absent) {
            Session::Open(session) => session,
            Session::Absent => match self.connect().await? {
                Some(session) => session,
                None => {
                    *guard = Session::Forbidden;
                    return Err(NotCalled::Uneven);
                }
            },
            Session::Forbidden => {
                *guard = Session::Forbidden;
                return Err(NotCalled::Uneven);
            }
        };
        let done = sqlx::query(POSTGRES_CALL)
            .bind(&call.settles)
            .bind(&call.records)
            .bind(&call.intents)
            .bind(&call.lanes)
            .bind(&call.counts)
            .bind(call.n_settles)
            .bind(call.n_intents)
            .bind(call.at)
            .execute(&mut session)
            .await
            .map(drop)
            .map_err(not_called);
        // A call that was cut off leaves its session behind: only an answered one is of further use.
        if matches!(done, Ok(()) | Err(NotCalled::Uneven)) {
            *guard = Session::Open(session);
        }
        done
    }

    /// A session with the procedure; `None` where the user may not make it.
    async fn connect(&self) -> std::result::Result<Option<PgConnection>, NotCalled> {
        let connected = self.options.connect().await.map_err(failed("acquire"));
        let mut session = connected.map_err(NotCalled::Failed)?;
        let made = sqlx::raw_sql(AssertSqlSafe(postgres_procedure())).execute(&mut session).await;
        match made.map_err(failed(PROCEDURE)) {
            Ok(_) => Ok(Some(session)),
            Err(error) if error.is_forbidden() => {
                tracing::warn!(
                    %error,
                    "writes go statement by statement, which is slower: GRANT TEMPORARY ON DATABASE to this user"
                );
                // The server ends it anyway.
                let _ = session.close().await;
                Ok(None)
            }
            Err(error) => Err(NotCalled::Failed(error)),
        }
    }

    pub(crate) async fn close(&self) {
        let session = std::mem::replace(&mut *self.session.lock().await, Session::Absent);
        if let Session::Open(session) = session {
            // The server ends it anyway.
            let _ = session.close().await;
        }
    }

    #[cfg(test)]
    pub(crate) async fn is_forbidden(&self) -> bool {
        matches!(*self.session.lock().await, Session::Forbidden)
    }
}

const SQLITE_INPUT: &str =
    "CREATE TEMP VIEW IF NOT EXISTS write_call AS SELECT '' AS settles, '' AS records, '' AS intents,
    '' AS counts, 0 AS n_settles, 0 AS n_intents, 0 AS at";
const SQLITE_CALL: &str =
    "INSERT INTO temp.write_call (settles, records, intents, counts, n_settles, n_intents, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const POSTGRES_CALL: &str = "SELECT pg_temp.write_call($1, $2, $3, $4, $5, $6, $7, $8)";

/// A statement with the procedure's words for its parameters, without the rows that it would tell.
fn body(engine: Engine, statement: crate::Statement, input: &str, at: &str) -> String {
    let text = statement.of(engine);
    let text = text.split_once("\nRETURNING").map_or(text, |(counting, _)| counting);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    lines.join("\n").replace("$1", input).replace("$2", at)
}

fn sqlite_procedure() -> String {
    let part = |statement, input| body(Engine::Sqlite, statement, input, "NEW.at");
    let (settles, records) =
        (part(WRITE_SETTLES, "NEW.settles"), part(WRITE_ATTEMPTS, "NEW.records"));
    let (intents, counts) = (part(WRITE_INTENTS, "NEW.intents"), part(COUNTERS_ADD, "NEW.counts"));
    format!(
        "CREATE TEMP TRIGGER IF NOT EXISTS write_called INSTEAD OF INSERT ON write_call BEGIN
{settles};
SELECT RAISE(ABORT, '{UNEVEN}') WHERE changes() <> NEW.n_settles;
{records};
{intents};
SELECT RAISE(ABORT, '{UNEVEN}') WHERE changes() <> NEW.n_intents;
{counts};
END"
    )
}

fn postgres_procedure() -> String {
    let part = |statement, input| body(Engine::Postgres, statement, input, "p_at");
    let (settles, records) = (part(WRITE_SETTLES, "p_settles"), part(WRITE_ATTEMPTS, "p_records"));
    let (intents, counts) = (part(WRITE_INTENTS, "p_intents"), part(COUNTERS_ADD, "p_counts"));
    let lanes = part(WRITE_LANES, "p_lanes").replacen("SELECT", "PERFORM", 1);
    format!(
        "CREATE OR REPLACE FUNCTION pg_temp.write_call(p_settles text, p_records text, p_intents text, p_lanes text,
    p_counts text, p_n_settles bigint, p_n_intents bigint, p_at bigint) RETURNS void LANGUAGE plpgsql AS $procedure$
DECLARE
    moved bigint;
BEGIN
    IF p_n_settles > 0 THEN
        {settles};
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> p_n_settles THEN RAISE EXCEPTION '{UNEVEN}'; END IF;
        {records};
    END IF;
    IF p_n_intents > 0 THEN
        {lanes};
        {intents};
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> p_n_intents THEN RAISE EXCEPTION '{UNEVEN}'; END IF;
    END IF;
    {counts};
END
$procedure$"
    )
}
