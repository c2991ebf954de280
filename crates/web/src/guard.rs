//! Around every handler: a time limit, the security headers, the count and the log line.
//!
//! The log line names the route, never the path: paths hold tokens.

use crate::{App, problem, public};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use postroad_metrics::HttpRoute;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A handler's time, the reading of the body included: below the pool's own wait for a connection (30 s), so that
/// people get a page.
const HANDLER_TIME: Duration = Duration::from_secs(20);

/// Headers of every answer. The pages' own policy for content is theirs to set (`public::page`).
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

fn route_of(path: &str) -> HttpRoute {
    match path.split('/').nth(1) {
        Some("u") => HttpRoute::Unsubscribe,
        Some("v") => HttpRoute::View,
        Some("o") => HttpRoute::Open,
        Some("hook") => HttpRoute::Hook,
        Some("metrics") => HttpRoute::Metrics,
        Some("healthz" | "readyz") => HttpRoute::Health,
        Some(_) | None => HttpRoute::Other,
    }
}

/// Around the public routes.
pub(crate) async fn public(State(app): State<App>, request: Request, next: Next) -> Response {
    let language = public::Language::of(request.headers(), request.uri().query());
    let late = move || public::trouble(language);
    watched(&app, request, next, late).await
}

/// Around the admin routes.
pub(crate) async fn admin(State(app): State<App>, request: Request, next: Next) -> Response {
    watched(&app, request, next, problem::late).await
}

async fn watched(
    app: &App,
    request: Request,
    next: Next,
    late: impl FnOnce() -> Response,
) -> Response {
    let started = Instant::now();
    let route = route_of(request.uri().path());
    let method = request.method().clone();
    let answered = timeout(HANDLER_TIME, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| late());
    for (name, value) in ALWAYS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    let status = response.status().as_u16();
    app.metrics.http_request(route, status);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let route = route.as_str();
    if matches!(status, 500..) {
        tracing::warn!(%method, route, status, ms, "HTTP request");
    } else {
        tracing::debug!(%method, route, status, ms, "HTTP request");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_known_by_its_first_segment() {
        let check = |path, route| assert_eq!(route_of(path), route, "{path}");
        check("/u/abc", HttpRoute::Unsubscribe);
        check("/v/abc", HttpRoute::View);
        check("/o/abc.gif", HttpRoute::Open);
        check("/hook/ses", HttpRoute::Hook);
        check("/metrics", HttpRoute::Metrics);
        check("/readyz", HttpRoute::Health);
        check("/", HttpRoute::Other);
        check("*", HttpRoute::Other);
        check("/unsubscribe/abc", HttpRoute::Other);
    }
}
