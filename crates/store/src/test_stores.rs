//! Stores for this crate's own tests: an empty one on each engine, with a partition for rows that are written by hand.

use crate::backend::tx;
use crate::{Durability, Store, StoreSettings};
use postroad_testkit::rows::BUCKET;
use postroad_testkit::{builders, postgres, sqlite};
use std::any::Any;

/// A store and what its database lives as long as.
pub(crate) type Kept = (Store, Box<dyn Any>);

/// Opens a store and makes the partition.
pub(crate) async fn open(url: &str) -> Store {
    let keys = builders::token_keys();
    let settings =
        StoreSettings { url: url.to_owned(), keys, connections: 4, durability: Durability::Native };
    let store = Store::open(settings).await.unwrap();
    store.ensure_partition(BUCKET).await.unwrap();
    store
}

/// One on SQLite and, where it is installed, one on PostgreSQL.
pub(crate) async fn stores() -> Vec<Kept> {
    let database = sqlite::database();
    let mut all: Vec<Kept> = vec![(open(database.url()).await, Box::new(database))];
    if let Some(database) = postgres::database() {
        all.push((open(database.url()).await, Box::new(database)));
    }
    all
}

/// Runs a statement as it stands.
pub(crate) async fn sql(store: &Store, statement: &str) {
    written(store, statement).await.unwrap();
}

async fn written(store: &Store, statement: &str) -> crate::Result<()> {
    tx!(store, |c, _e| {
        let statement = sqlx::AssertSqlSafe(statement);
        sqlx::query(statement).execute(&mut *c).await.unwrap();
        Ok(())
    })
}
