//! The admin listener: `/metrics`, `/healthz`, `/readyz`. It has no login; the configuration keeps it on a private address.

use crate::problem::{self, Problem};
use crate::{App, EngineState, guard};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Prometheus' text format, version 0.0.4.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long the database may take to answer a readiness check.
const STORE_TIME: Duration = Duration::from_secs(3);

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .method_not_allowed_fallback(problem::wrong_method)
        .fallback(problem::not_found)
        .layer(from_fn_with_state(app.clone(), guard::admin))
        .with_state(app)
}

async fn metrics(State(app): State<App>) -> Response {
    app.exporter.refresh(&app).await;
    match app.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, EXPOSITION)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

async fn healthz() -> &'static str {
    "alive\n"
}

/// What `/readyz` looked at.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    store: &'static str,
    engine: EngineState,
    lanes: Lanes,
}

#[derive(Debug, Serialize)]
struct Lanes {
    configured: usize,
    /// By this process.
    held_here: usize,
    /// By any node; lanes of relays that are no longer configured may be among them.
    held: usize,
}

async fn readyz(State(app): State<App>) -> Response {
    let engine = *app.engine.borrow();
    let now = app.now();
    let lanes = tokio::time::timeout(STORE_TIME, app.store.lanes()).await;
    let (held, store_says) = match lanes {
        Ok(Ok(lanes)) => (lanes.iter().filter(|l| l.lease_until > now).count(), None),
        Ok(Err(error)) => (0, Some(error.to_string())),
        Err(_) => (0, Some("no answer in time".to_owned())),
    };
    let missing = match (&store_says, engine.state) {
        (Some(says), _) => Some(format!("the database does not answer: {says}")),
        (None, EngineState::Running) if engine.lanes_configured > 0 && held == 0 => {
            Some("no node holds a lane, so nothing is sent".to_owned())
        }
        (None, EngineState::Running | EngineState::Absent) => None,
        (None, EngineState::Starting) => Some("the engine is starting".to_owned()),
        (None, EngineState::Draining) => Some("the engine is stopping".to_owned()),
        (None, EngineState::Stopped) => Some("the engine has stopped".to_owned()),
    };
    let report = Readiness {
        ready: missing.is_none(),
        store: if store_says.is_none() { "ok" } else { "unreachable" },
        engine: engine.state,
        lanes: Lanes { configured: engine.lanes_configured, held_here: engine.lanes_held, held },
    };
    match missing {
        None => axum::Json(report).into_response(),
        Some(detail) => {
            let more = match serde_json::to_value(report) {
                Ok(Value::Object(more)) => more,
                Ok(_) | Err(_) => Map::new(),
            };
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(more).into_response()
        }
    }
}
