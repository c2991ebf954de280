//! `db migrate|check`.

use crate::app::{App, Runs};
use crate::args::DbCommand;
use crate::exit::Exit;
use crate::output::Table;
use anyhow::Result;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_store::{Engine, Store, StoredCampaign};
use serde::Serialize;
use serde_json::json;

pub async fn run(app: &App, command: &DbCommand) -> Result<Exit> {
    match command {
        DbCommand::Migrate => migrate(app).await,
        DbCommand::Check => check(app).await,
    }
}

async fn migrate(app: &App) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let engine = match opened.store.engine() {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    app.output.show(&json!({ "engine": engine, "migrated": true }), |_| {
        format!("the {engine} database has this program's schema")
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

/// One campaign's books.
#[derive(Debug, Serialize)]
struct Books {
    campaign: String,
    state: &'static str,
    audience: i64,
    rows: i64,
    /// States whose counters say something else than the rows: name, counted, by the counters.
    off: Vec<(&'static str, i64, i64)>,
}

impl Books {
    fn balance(&self) -> bool {
        self.off.is_empty() && self.audience == self.rows
    }
}

async fn check(app: &App) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let mut books = Vec::new();
    for stored in opened.store.campaigns().await? {
        books.push(balance(&opened.store, &stored).await?);
    }
    let fine = books.iter().all(Books::balance);
    app.output.show(&json!({ "ok": fine, "campaigns": books }), |_| text(&books))?;
    opened.close().await;
    Ok(if fine { Exit::Ok } else { Exit::Data })
}

async fn balance(store: &Store, stored: &StoredCampaign) -> Result<Books> {
    let campaign = &stored.campaign;
    let counted = store.count_rows(campaign.id, Role::Audience).await?;
    let counters = store.counters(campaign.id).await?;
    let off = DeliveryState::ALL
        .into_iter()
        .filter_map(|state| {
            let rows: i64 = counted.iter().filter(|(s, _)| *s == state).map(|(_, n)| n).sum();
            let of_state = counters
                .iter()
                .filter(|c| c.role == Role::Audience && c.code == state.code())
                .map(|c| c.n);
            let booked: i64 = of_state.sum();
            (rows != booked).then_some((state.as_str(), rows, booked))
        })
        .collect();
    Ok(Books {
        campaign: campaign.name.clone(),
        state: campaign.state.name(),
        audience: campaign.audience.unwrap_or(0),
        rows: counted.iter().map(|(_, n)| n).sum(),
        off,
    })
}

fn text(books: &[Books]) -> String {
    if books.is_empty() {
        return "there is no campaign; nothing to count".into();
    }
    let mut table = Table::new(&["campaign", "state", "#audience", "#rows", "books"]);
    for b in books {
        let verdict = if b.balance() {
            "balance".to_owned()
        } else {
            let off: Vec<String> = b
                .off
                .iter()
                .map(|(s, rows, booked)| format!("{s}: {rows} rows, {booked} booked"))
                .collect();
            format!("DO NOT BALANCE {}", off.join("; "))
        };
        table.row([
            b.campaign.clone(),
            b.state.into(),
            b.audience.to_string(),
            b.rows.to_string(),
            verdict,
        ]);
    }
    table.to_string()
}
