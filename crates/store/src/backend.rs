//! The two engines behind the store, and how a transaction is opened on each.
//!
//! SQLite: WAL, `synchronous=FULL`, one writer with `BEGIN IMMEDIATE`, readers beside it. PostgreSQL: a pool,
//! `synchronous_commit` checked. One method body serves both: `tx!` and `read!` compile it once per driver.
//! It does not retry: callers know what may be repeated (`Error::is_conflict`, `Error::is_transient`).

use crate::sql::{Statement, sql};
use crate::writer::{Kept, Writer};
use crate::{Error, Result};
use postroad_model::token::TokenKeys;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

sql! {
    both META_GET = "meta_get";
    both META_PUT = "meta_put";
}

/// Which engine a statement runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Inside this process.
    Sqlite,
    /// A server.
    Postgres,
}

/// Whether commits are made slow on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As fast as the engine is.
    #[default]
    Native,
    /// Each commit waits this long first: a stand-in for slow disks in tests and benchmarks.
    Delayed(Duration),
}

/// How to open the store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `sqlite:path` or `postgres://...`.
    pub url: String,
    /// The installation's keys; their fingerprint is kept in the database.
    pub keys: TokenKeys,
    /// Connections of the PostgreSQL pool or SQLite readers.
    pub connections: u32,
    /// For tests and benchmarks.
    pub durability: Durability,
}

pub(crate) enum Backend {
    Sqlite { write: Box<Writer>, read: SqlitePool, path: PathBuf },
    Postgres { pool: PgPool, kept: Box<Kept> },
}

/// Durable state. Cheap to share behind an `Arc`.
pub struct Store {
    pub(crate) backend: Backend,
    pub(crate) keys: TokenKeys,
    pub(crate) durability: Durability,
}

/// Runs a body in one write transaction on whichever engine is behind the store. Inside, `$c` is
/// `&mut Connection` of that driver and `$e` the engine; the body is an async block's content that evaluates to
/// `Result<T>`; `Err` rolls back.
macro_rules! tx {
    ($store:expr, |$c:ident, $e:ident| $body:expr) => {{
        let store: &$crate::Store = $store;
        match &store.backend {
            $crate::backend::Backend::Sqlite { write, .. } => {
                let $e = $crate::Engine::Sqlite;
                let mut turn = write.turn().await?;
                let (result, end) = {
                    let begun = sqlx::Connection::begin_with(&mut *turn, "BEGIN IMMEDIATE").await;
                    match begun {
                        Ok(mut tx) => {
                            let result = {
                                let $c = &mut *tx;
                                async { $body }.await
                            };
                            $crate::backend::finish!(store, tx, result)
                        }
                        Err(source) => {
                            let error = $crate::Error::Statement { what: "begin", source };
                            (Err(error.into()), $crate::backend::End::Unknown)
                        }
                    }
                };
                if end == $crate::backend::End::Unknown {
                    turn.spoil();
                }
                result
            }
            $crate::backend::Backend::Postgres { pool, .. } => {
                let $e = $crate::Engine::Postgres;
                let mut tx = pool
                    .begin()
                    .await
                    .map_err(|source| $crate::Error::Statement { what: "begin", source })?;
                let result = {
                    let $c = &mut *tx;
                    async { $body }.await
                };
                // The pool looks at a connection before it gives it to the next.
                $crate::backend::finish!(store, tx, result).0
            }
        }
    }};
}
pub(crate) use tx;

/// Whether a connection is out of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is.
    Known,
    /// Its end failed.
    Unknown,
}

/// Commits or rolls back; the result, and whether the connection is out of the transaction.
macro_rules! finish {
    ($store:expr, $tx:expr, $result:expr) => {
        match $result {
            Ok(value) => {
                $store.before_commit().await;
                match $tx.commit().await {
                    Ok(()) => (Ok(value), $crate::backend::End::Known),
                    Err(source) => {
                        let what = $crate::error::COMMIT;
                        let error = $crate::Error::Statement { what, source };
                        (Err(error.into()), $crate::backend::End::Unknown)
                    }
                }
            }
            Err(error) => match $tx.rollback().await {
                Ok(()) => (Err(error), $crate::backend::End::Known),
                // Nothing of it stays either: whoever holds the connection lets go of it.
                Err(_) => (Err(error), $crate::backend::End::Unknown),
            },
        }
    };
}
pub(crate) use finish;

/// Like `tx!` on a reading connection, outside a transaction.
macro_rules! read {
    ($store:expr, |$c:ident, $e:ident| $body:expr) => {{
        let store: &$crate::Store = $store;
        match &store.backend {
            $crate::backend::Backend::Sqlite { read, .. } => {
                let $e = $crate::Engine::Sqlite;
                let mut connection = read
                    .acquire()
                    .await
                    .map_err(|source| $crate::Error::Statement { what: "acquire", source })?;
                let $c = &mut *connection;
                async { $body }.await
            }
            $crate::backend::Backend::Postgres { pool, .. } => {
                let $e = $crate::Engine::Postgres;
                let mut connection = pool
                    .acquire()
                    .await
                    .map_err(|source| $crate::Error::Statement { what: "acquire", source })?;
                let $c = &mut *connection;
                async { $body }.await
            }
        }
    }};
}
pub(crate) use read;

/// Fetches many rows inside a `tx!` body. PostgreSQL sends them together; on SQLite each row would cross from its
/// thread by itself, so there the statement makes one JSON text of them: an array of arrays in the columns' order.
macro_rules! many {
    ($c:expr, $e:expr, $statement:expr, [$($value:expr),* $(,)?]) => {
        match $e {
            $crate::Engine::Sqlite => {
                let text: String = sqlx::query_scalar($statement.of($e))
                    $(.bind($value))*
                    .fetch_one(&mut *$c)
                    .await
                    .named(&$statement)?;
                serde_json::from_str(&text)
                    .map_err(|source| $crate::Error::Json { what: $statement.name, source })?
            }
            $crate::Engine::Postgres => sqlx::query_as($statement.of($e))
                $(.bind($value))*
                .fetch_all(&mut *$c)
                .await
                .named(&$statement)?,
        }
    };
}
pub(crate) use many;

/// Adds the statement's name to a driver error.
pub(crate) trait Named<T> {
    fn named(self, statement: &Statement) -> Result<T>;
}

impl<T> Named<T> for std::result::Result<T, sqlx::Error> {
    fn named(self, statement: &Statement) -> Result<T> {
        self.map_err(|source| Error::Statement { what: statement.name, source })
    }
}

impl Store {
    /// Opens the database, brings its schema up to date and checks that it belongs to these keys.
    ///
    /// # Errors
    /// `Url`, `Open`, `Migrate`, `NotDurable`, `OtherKey`.
    pub async fn open(settings: StoreSettings) -> Result<Self> {
        let backend = if let Some(path) = settings.url.strip_prefix("sqlite:") {
            open_sqlite(path.trim_start_matches("//"), settings.connections).await?
        } else if settings.url.starts_with("postgres:") || settings.url.starts_with("postgresql:") {
            open_postgres(&settings.url, settings.connections).await?
        } else {
            return Err(Error::Url(without_password(&settings.url)));
        };
        let store = Self { backend, keys: settings.keys, durability: settings.durability };
        store.migrate().await?;
        store.check_key().await?;
        Ok(store)
    }

    /// Which engine is behind it.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.backend {
            Backend::Sqlite { .. } => Engine::Sqlite,
            Backend::Postgres { .. } => Engine::Postgres,
        }
    }

    /// The keys of this installation.
    #[must_use]
    pub fn keys(&self) -> &TokenKeys {
        &self.keys
    }

    /// The SQLite file, where that is the engine.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Sqlite { path, .. } => Some(path),
            Backend::Postgres { .. } => None,
        }
    }

    /// Closes all connections; on SQLite the WAL is folded into the file.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Backend::Postgres { pool, kept } => {
                kept.close().await;
                pool.close().await;
            }
        }
    }

    async fn migrate(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite { write, .. } => {
                sqlx::migrate!("../../migrations/sqlite").run(&mut *write.turn().await?).await
            }
            Backend::Postgres { pool, .. } => {
                sqlx::migrate!("../../migrations/postgres").run(pool).await
            }
        }
        .map_err(|source| Error::Migrate { source })
    }

    async fn check_key(&self) -> Result<()> {
        let given = self.keys.fingerprint();
        let stored = tx!(self, |c, e| {
            sqlx::query(META_PUT.of(e))
                .bind("key_fingerprint")
                .bind(given)
                .execute(&mut *c)
                .await
                .named(&META_PUT)?;
            sqlx::query_scalar::<_, String>(META_GET.of(e))
                .bind("key_fingerprint")
                .fetch_one(&mut *c)
                .await
                .named(&META_GET)
        })?;
        if stored == given { Ok(()) } else { Err(Error::OtherKey { stored, given: given.into() }) }
    }

    pub(crate) async fn before_commit(&self) {
        match self.durability {
            Durability::Native => {}
            Durability::Delayed(wait) => tokio::time::sleep(wait).await,
        }
    }

    /// Prepares every statement of the crate on this engine; for tests.
    ///
    /// # Errors
    /// The first statement that the engine refuses.
    pub async fn check_statements(&self) -> Result<()> {
        use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
        for statement in crate::statements() {
            read!(self, |c, e| {
                let text = AssertSqlSafe(statement.of(e).to_owned()).into_sql_str();
                c.prepare(text).await.map(drop).named(statement)
            })?;
        }
        Ok(())
    }
}

async fn open_sqlite(path: &str, readers: u32) -> Result<Backend> {
    let open = |source| Error::Open { url: format!("sqlite:{path}"), source };
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{path}"))
        .map_err(open)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30))
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "memory")
        .optimize_on_close(true, None);
    let write = Box::new(Writer::open(options.clone()).await.map_err(open)?);
    let read = SqlitePoolOptions::new()
        .max_connections(readers.max(1))
        // A connection to a file does not go stale.
        .test_before_acquire(false)
        // A row goes from SQLite's thread to the reader's by a queue; a short one costs more wake-ups than the rows cost.
        .connect_lazy_with(options.row_buffer_size(ROWS_AHEAD).pragma("query_only", "on"));
    Ok(Backend::Sqlite { write, read, path: PathBuf::from(path) })
}

/// So many rows are read before their reader takes them; some 100 kB.
const ROWS_AHEAD: usize = 1_000;

/// A node that is frozen inside a transaction would keep its locks for ever, and no other could take its lanes: the
/// server ends such a session after this many milliseconds. No transaction of ours waits for anything but the server.
const FROZEN_MS: &str = "3000";

async fn open_postgres(url: &str, connections: u32) -> Result<Backend> {
    let open = |source| Error::Open { url: without_password(url), source };
    let options = PgConnectOptions::from_str(url)
        .map_err(open)?
        .application_name("postroad")
        // Compiling short statements to machine code costs more than running them.
        .options([("idle_in_transaction_session_timeout", FROZEN_MS), ("jit", "off")]);
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(4))
        .acquire_timeout(Duration::from_secs(30))
        .connect_with(options.clone())
        .await
        .map_err(open)?;
    let setting: String =
        sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&pool).await.map_err(open)?;
    if setting == "off" {
        return Err(Error::NotDurable(setting));
    }
    Ok(Backend::Postgres { pool, kept: Box::new(Kept::new(options)) })
}

/// The address as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{scheme}://{user}@{host}")
        }
        None => url.to_owned(),
    }
}
