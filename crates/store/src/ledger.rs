//! The ledger's rows: one per limit, with its whole book (`postroad_model::ledger`).
//!
//! W1 reserves in `leases`; here is everything else: bringing the rows in step with the configuration, giving
//! back what was certainly not sent, counting what was answered late, marking a limit full when the relay says
//! so. Limit rows are always locked before delivery rows, in id order.

use crate::backend::{Named, read, tx};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::ledger::{Book, LedgerError, Reservation};
use postroad_model::limit::{Keeper, Limit};
use postroad_model::{LimitId, Timestamp};

sql! {
    each LIMITS_LOCK = "limits_lock";
    both LIMITS_OF = "limits_of";
    both LIMITS_EVERY = "limits_every";
    both LIMIT_INSERT = "limit_insert";
    both LIMIT_BOOK = "limit_book";
    both LIMIT_SPEC = "limit_spec";
    both LIMIT_DELETE = "limit_delete";
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct LimitRow {
    id: i64,
    scope: String,
    name: String,
    spec: String,
    book: String,
}

/// A limit with its book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitBook {
    /// The row.
    pub id: LimitId,
    /// Where it counts: `relay:NAME` or `group:NAME`.
    pub scope: String,
    /// The limit in force.
    pub limit: Limit,
    /// What is counted.
    pub book: Book,
}

impl LimitBook {
    pub(crate) fn failed(&self, source: LedgerError) -> Error {
        Error::Limit { scope: self.scope.clone(), name: self.limit.name.clone(), source }
    }

    pub(crate) fn book_json(&self) -> Result<String> {
        serde_json::to_string(&self.book)
            .map_err(|source| Error::Json { what: "a limit's book", source })
    }
}

impl TryFrom<LimitRow> for LimitBook {
    type Error = Error;

    fn try_from(row: LimitRow) -> Result<Self> {
        let bad = |column| Error::Inconsistent {
            table: "limits",
            column,
            id: format!("{}/{}", row.scope, row.name),
        };
        Ok(Self {
            id: LimitId(row.id),
            limit: serde_json::from_str(&row.spec).map_err(|_| bad("spec"))?,
            book: serde_json::from_str(&row.book).map_err(|_| bad("book"))?,
            scope: row.scope,
        })
    }
}

/// What a batch took from one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The limit's row.
    pub limit: LimitId,
    /// The reservation.
    pub reservation: Reservation,
}

/// A change of a scope's books after W1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerAct {
    /// `n` of the reservations were certainly never written as RCPT.
    Release {
        /// What was taken.
        reserved: Vec<Reserved>,
        /// How many.
        n: i64,
    },
    /// `n` RCPTs of the reservations were answered at this time.
    Late {
        /// What was taken.
        reserved: Vec<Reserved>,
        /// When the reply was read.
        replied_at: Timestamp,
        /// How many.
        n: i64,
    },
    /// The relay refused: the named limit, or all of the scope when it did not say which.
    MarkFull {
        /// The limit's name.
        limit: Option<String>,
    },
    /// A probe was taken.
    ClearFull,
}

/// Reads and locks a scope's limits inside a `tx!` body.
macro_rules! lock_limits {
    ($c:expr, $e:expr, $scope:expr) => {{
        let rows: Vec<$crate::ledger::LimitRow> =
            sqlx::query_as($crate::ledger::LIMITS_LOCK.of($e))
                .bind($scope)
                .fetch_all(&mut *$c)
                .await
                .named(&$crate::ledger::LIMITS_LOCK)?;
        rows.into_iter()
            .map($crate::ledger::LimitBook::try_from)
            .collect::<$crate::Result<Vec<_>>>()?
    }};
}
pub(crate) use lock_limits;

/// Writes books back inside a `tx!` body.
macro_rules! save_books {
    ($c:expr, $e:expr, $books:expr) => {
        for book in $books {
            sqlx::query($crate::ledger::LIMIT_BOOK.of($e))
                .bind(book.id.0)
                .bind(book.book_json()?)
                .execute(&mut *$c)
                .await
                .named(&$crate::ledger::LIMIT_BOOK)?;
        }
    };
}
pub(crate) use save_books;

impl Store {
    /// Brings the limit rows of a scope in step with the configuration: amounts change in place, a window of
    /// another length starts with all that was counted in its newest slot, limits that are gone lose their row.
    ///
    /// # Errors
    /// The database's; `Limit` when a limit cannot be kept.
    pub async fn sync_limits(&self, scope: &str, limits: &[Limit], now: Timestamp) -> Result<()> {
        let ledger: Vec<&Limit> = limits.iter().filter(|l| l.keeper == Keeper::Ledger).collect();
        tx!(self, |c, e| {
            let books = lock_limits!(c, e, scope);
            for limit in &ledger {
                let spec = serde_json::to_string(limit)
                    .map_err(|source| Error::Json { what: "a limit", source })?;
                let old = books.iter().find(|b| b.limit.name == limit.name);
                let mut new = match old {
                    Some(old) if &&old.limit == limit => continue,
                    Some(old) => old.clone(),
                    None => LimitBook {
                        id: LimitId(0),
                        scope: scope.into(),
                        limit: (*limit).clone(),
                        book: Book::new(),
                    },
                };
                if let Some(old) = old
                    && old.limit.window != limit.window
                {
                    let used = new.book.used(&old.limit, now).map_err(|x| old.failed(x))?;
                    new.book = Book::new();
                    new.limit = (*limit).clone();
                    new.book.reserve(limit, now, used).map_err(|x| new.failed(x))?;
                }
                new.limit = (*limit).clone();
                new.book.free(limit, now).map_err(|x| new.failed(x))?;
                let statement = if old.is_some() { LIMIT_SPEC } else { LIMIT_INSERT };
                sqlx::query(statement.of(e))
                    .bind(scope)
                    .bind(&limit.name)
                    .bind(spec)
                    .bind(new.book_json()?)
                    .execute(&mut *c)
                    .await
                    .named(&statement)?;
            }
            for gone in books.iter().filter(|b| ledger.iter().all(|l| l.name != b.limit.name)) {
                sqlx::query(LIMIT_DELETE.of(e))
                    .bind(gone.id.0)
                    .execute(&mut *c)
                    .await
                    .named(&LIMIT_DELETE)?;
            }
            Ok(())
        })
    }

    /// The limits of a scope, for forecasts and reports.
    ///
    /// # Errors
    /// The database's.
    pub async fn limits(&self, scope: &str) -> Result<Vec<LimitBook>> {
        let rows: Vec<LimitRow> = read!(self, |c, e| {
            sqlx::query_as(LIMITS_OF.of(e)).bind(scope).fetch_all(&mut *c).await.named(&LIMITS_OF)
        })?;
        rows.into_iter().map(LimitBook::try_from).collect()
    }

    /// All limits of all scopes, for the exporter.
    ///
    /// # Errors
    /// The database's.
    pub async fn all_limits(&self) -> Result<Vec<LimitBook>> {
        let rows: Vec<LimitRow> = read!(self, |c, e| {
            sqlx::query_as(LIMITS_EVERY.of(e)).fetch_all(&mut *c).await.named(&LIMITS_EVERY)
        })?;
        rows.into_iter().map(LimitBook::try_from).collect()
    }

    /// Changes the books of a scope after W1. Gives the time until which the scope counts as full, if an act
    /// marked it so.
    ///
    /// # Errors
    /// The database's.
    pub async fn adjust_ledger(
        &self,
        scope: &str,
        acts: &[LedgerAct],
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        tx!(self, |c, e| {
            let mut books = lock_limits!(c, e, scope);
            let mut full = None;
            for act in acts {
                full = full.max(apply(&mut books, act, now)?);
            }
            save_books!(c, e, &books);
            Ok(full)
        })
    }
}

pub(crate) fn apply(
    books: &mut [LimitBook],
    act: &LedgerAct,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let mut full = None;
    for entry in books.iter_mut() {
        let id = entry.id;
        let mine =
            |reserved: &[Reserved]| reserved.iter().find(|r| r.limit == id).map(|r| r.reservation);
        match act {
            LedgerAct::Release { reserved, n } => {
                if let Some(reservation) = mine(reserved) {
                    entry.book.release(&reservation, *n);
                }
            }
            LedgerAct::Late { reserved, replied_at, n } => {
                if let Some(reservation) = mine(reserved) {
                    let done = entry.book.count_late(&entry.limit, &reservation, *replied_at, *n);
                    done.map_err(|x| entry.failed(x))?;
                }
            }
            LedgerAct::MarkFull { limit } => {
                if limit.as_ref().is_none_or(|name| *name == entry.limit.name) {
                    let until = entry.book.mark_full(&entry.limit, now);
                    full = full.max(Some(until.map_err(|x| entry.failed(x))?));
                }
            }
            LedgerAct::ClearFull => entry.book.clear_full(),
        }
    }
    Ok(full)
}
