//! POST /hook/NAME: what a provider tells of mail that we sent, handed to `feedback`'s hooks.
//!
//! Verified there. What must always hold: the answer is a success only after everything was recorded, so that the
//! provider sends it again otherwise; bodies are read a few at a time and never beyond their bound. RFC 9110.

use crate::App;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postroad_feedback::webhook::{self, MAX_BODY, Refusal};
use std::sync::Arc;

/// Bodies in memory at once; the others wait.
pub(crate) const AT_ONCE: usize = 16;

pub(super) async fn take(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(hooks) = app.hooks.clone() else { return refused(&name, &Refusal::Unknown) };
    let Ok(_place) = Arc::clone(&app.hook_places).acquire_owned().await else {
        return refused(&name, &Refusal::Later("it is shutting down".into()));
    };
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return refused(&name, &Refusal::TooLarge);
    };
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers = head.headers.iter().filter_map(|(n, v)| Some((n.as_str().to_owned(), text(v)?)));
    let request = webhook::Request {
        headers: headers.collect(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: body.into(),
    };
    match hooks.receive(&name, &request, app.now()).await {
        Ok(taken) => said(StatusCode::OK, format!("taken: {}\n", taken.outcomes.len())),
        Err(refusal) => refused(&name, &refusal),
    }
}

fn refused(name: &str, refusal: &Refusal) -> Response {
    // A stranger's guess is not worth a line in the log.
    match refusal {
        Refusal::Unknown => tracing::debug!(hook = %name.escape_debug(), "no such webhook"),
        Refusal::Forged(_) | Refusal::Malformed(_) | Refusal::TooLarge | Refusal::Later(_) => {
            tracing::warn!(hook = name, %refusal, "a webhook's request was refused");
        }
    }
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    said(status, format!("{refusal}\n"))
}

fn said(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
