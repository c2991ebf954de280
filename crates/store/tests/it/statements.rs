//! Every statement is prepared on both engines: a misspelt column fails here.

use postroad_model::token::TokenKeys;
use postroad_store::{Durability, Store, StoreSettings};

#[tokio::test]
async fn every_statement_is_valid_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("t.db").display());
    let keys = TokenKeys::derive(&[7; 32]).unwrap();
    let settings = StoreSettings { url, keys, connections: 2, durability: Durability::Native };
    let store = Store::open(settings).await.unwrap();
    store.check_statements().await.unwrap();
}

#[tokio::test]
async fn every_statement_is_valid_on_postgres() {
    let Some(database) = postroad_testkit::postgres::database() else { return };
    let keys = TokenKeys::derive(&[7; 32]).unwrap();
    let settings = StoreSettings {
        url: database.url().to_owned(),
        keys,
        connections: 4,
        durability: Durability::Native,
    };
    let store = Store::open(settings).await.unwrap();
    store.check_statements().await.unwrap();
}
