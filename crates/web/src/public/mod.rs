//! The public listener: what the links in mail lead to. Anybody may call it.

pub(crate) mod hook;
mod language;
pub(crate) mod open;
mod page;
mod unsubscribe;
mod view;

pub(crate) use language::Language;
pub(crate) use page::trouble;

use crate::{App, guard};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use page::{Name, page};
use postroad_model::token::{LinkKind, LinkToken};

/// A form of ours has 5 octets, a one-click body some hundred.
const BODY_OCTETS: usize = 16 * 1024;

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/u/{token}", get(unsubscribe::show).post(unsubscribe::act))
        .route("/v/{token}", get(view::show))
        .route("/o/{file}", get(open::show))
        .route("/hook/{name}", post(hook::take))
        .route("/robots.txt", get(robots))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(BODY_OCTETS))
        .layer(from_fn_with_state(app.clone(), guard::public))
        .with_state(app)
}

async fn robots() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, "User-agent: *\nDisallow: /\n").into_response()
}

async fn not_found(language: Language) -> Response {
    page(StatusCode::NOT_FOUND, language, Name::NotFound, &[])
}

async fn wrong_method(language: Language) -> Response {
    page(StatusCode::METHOD_NOT_ALLOWED, language, Name::Refused, &[])
}

/// Reads a token of the wanted kind out of the path. What mail programs append to links (a full stop, a bracket) is
/// taken off: no token ends in it.
fn read_token(
    app: &App,
    path: Result<Path<String>, PathRejection>,
    kind: LinkKind,
) -> Option<LinkToken> {
    let Path(text) = path.ok()?;
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    read(app, text).filter(|token| token.kind == kind)
}

fn read(app: &App, text: &str) -> Option<LinkToken> {
    app.store.keys().read_link(text).ok()
}
