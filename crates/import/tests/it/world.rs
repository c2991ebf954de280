//! A store on each engine, files, and short words for what the tests do with them.

use postroad_import::{Error, ImportOptions, ImportReport, Input, MissingList, import_contacts};
use postroad_model::EmailAddress;
use postroad_store::{ContactRecord, Durability, Store, StoreSettings};
use postroad_testkit::{SimClock, builders, postgres, sqlite};
use std::io::Cursor;

/// A store and what must live as long as it.
pub struct World {
    pub store: Store,
    pub clock: SimClock,
    _guard: Box<dyn std::any::Any>,
}

async fn open(url: &str, guard: Box<dyn std::any::Any>) -> World {
    let settings = StoreSettings {
        url: url.to_owned(),
        keys: builders::token_keys(),
        connections: 4,
        durability: Durability::Native,
    };
    let store = Store::open(settings).await.unwrap();
    World { store, clock: SimClock::at("2026-11-30T08:00:00Z"), _guard: guard }
}

/// SQLite alone: for what the engine cannot change.
pub async fn one() -> World {
    let database = sqlite::database();
    let url = database.url().to_owned();
    open(&url, Box::new(database)).await
}

/// Both engines, or SQLite alone where PostgreSQL is not installed.
pub async fn both() -> Vec<World> {
    let mut worlds = vec![one().await];
    if let Some(database) = postgres::database() {
        let url = database.url().to_owned();
        worlds.push(open(&url, Box::new(database)).await);
    }
    worlds
}

pub fn options() -> ImportOptions {
    ImportOptions { missing_list: MissingList::Create, ..ImportOptions::to_list("all") }
}

pub fn stream(octets: impl Into<Vec<u8>>) -> Input {
    Input::Stream { name: "people.csv".to_owned(), reader: Box::new(Cursor::new(octets.into())) }
}

impl World {
    pub async fn try_import(
        &self,
        octets: impl Into<Vec<u8>>,
        options: &ImportOptions,
    ) -> Result<ImportReport, Error> {
        let report =
            import_contacts(stream(octets), options, &self.store, &self.clock, &mut |_| {}).await?;
        assert!(report.tally.adds_up(), "{report:?}");
        Ok(report)
    }

    pub async fn import(&self, octets: impl Into<Vec<u8>>) -> ImportReport {
        self.try_import(octets, &options()).await.unwrap()
    }

    pub async fn contact(&self, address: &str) -> Option<ContactRecord> {
        self.store.contact(&EmailAddress::parse(address).unwrap()).await.unwrap()
    }

    /// Name and attributes, as JSON, in one line.
    pub async fn data(&self, address: &str) -> String {
        let contact = self.contact(address).await.unwrap_or_else(|| panic!("no {address}"));
        let name = contact.name.unwrap_or_default();
        format!("{name} {}", serde_json::Value::Object(contact.attributes))
    }
}

/// The figures of a report: rows, added, updated, unchanged, merged, rejected, suppressed, unsubscribed.
pub fn figures(report: &ImportReport) -> [u64; 8] {
    let t = report.tally;
    [t.rows, t.added, t.updated, t.unchanged, t.merged, t.rejected, t.suppressed, t.unsubscribed]
}
