//! `/v/TOKEN`: a message as a web page. Its HTML is the campaign's, so it is kept in a sandbox: no script, no form, no
//! cookie, no referrer.

use super::page::{Name, page};
use super::{Language, read_token};
use crate::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use postroad_model::token::LinkKind;

/// What a mail program would load: pictures, fonts and inline styles. Links open in a tab of their own power.
const POLICY: &str = "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; font-src https: data:; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
    sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

pub(super) async fn show(
    State(app): State<App>,
    language: Language,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Some(token) = read_token(&app, path, LinkKind::View) else {
        return page(StatusCode::NOT_FOUND, language, Name::NotFound, &[]);
    };
    match app.view.html(token).await {
        Some(html) => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response(),
        None => page(StatusCode::NOT_FOUND, language, Name::Gone, &[]),
    }
}
