//! `/o/TOKEN.gif`: the image at the end of a message that tells of its opening.
//!
//! Anybody gets the same image, whatever the token says: a mail program shows a broken one otherwise, and a stranger learns
//! nothing. What must always hold: no cookie, nothing kept of the request but what `OpenKind` makes of it; the answer waits for
//! the database no longer than a bound; few recordings are under way at once, and what finds no place in time is not counted.
//! RFC 9110 section 9.3.2: HEAD fetches nothing, so it counts nothing.

use super::read;
use crate::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use postroad_model::delivery::DeliveryState;
use postroad_model::open::OpenKind;
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_store::OpenRecorded;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Recordings under way at once.
pub(crate) const AT_ONCE: usize = 16;
/// So long an answer waits for the recording, which goes on behind it.
const PATIENCE: Duration = Duration::from_secs(2);

/// One transparent pixel, GIF89a.
const IMAGE: [u8; 43] = [
    b'G', b'I', b'F', b'8', b'9', b'a', // The signature.
    1, 0, 1, 0, 0x80, 0, 0, // One by one, with a table of two colours.
    0, 0, 0, 0xFF, 0xFF, 0xFF, // Black and white.
    0x21, 0xF9, 4, 1, 0, 0, 0, 0, // The first colour is transparent.
    0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, // The whole image.
    2, 2, 0x44, 1, 0,    // Its one pixel.
    0x3B, // The end.
];

pub(super) async fn show(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    // What follows the token is for mail programs that load by the name.
    let text = path.as_ref().ok().and_then(|Path(file)| file.split('.').next());
    let token = text.and_then(|text| read(&app, text));
    let token = token.filter(|t| t.kind == LinkKind::Open && t.effect == LinkEffect::Real);
    if let Some(token) = token
        && method == Method::GET
    {
        let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok());
        let agent = agent.map(str::to_owned);
        // Who takes longer is served all the same.
        let _ = timeout(PATIENCE, count(app, token, agent)).await;
    }
    ([(header::CONTENT_TYPE, "image/gif")], IMAGE).into_response()
}

/// Counts in a task of its own, so that nobody who hangs up or waits no longer cuts it off.
async fn count(app: App, token: LinkToken, agent: Option<String>) {
    let Ok(place) = Arc::clone(&app.open_places).acquire_owned().await else { return };
    let counted = tokio::spawn(async move {
        let _place = place;
        if let Err(error) = record(&app, &token, agent.as_deref()).await {
            tracing::error!(%error, "cannot count an open");
        }
    });
    // A task that fell over said so by itself.
    let _ = counted.await;
}

async fn record(app: &App, token: &LinkToken, agent: Option<&str>) -> postroad_store::Result<()> {
    let Some(row) = app.store.sent_row(token.delivery).await? else { return Ok(()) };
    if row.campaign != token.campaign {
        return Ok(());
    }
    let now = app.now();
    let accepted = row.state == DeliveryState::Accepted;
    let kind = OpenKind::of(agent, accepted.then(|| now.since_ms(row.updated_at)));
    if app.store.record_open(&row, kind, now).await? == OpenRecorded::Nothing {
        return Ok(());
    }
    tracing::debug!(delivery = %row.id, %kind, provider = %row.provider, "opened");
    if let Some(name) = app.store.campaign_name(row.campaign).await? {
        app.metrics.opened(&name, row.provider, kind);
    }
    Ok(())
}
