//! `/u/TOKEN`: GET shows a page, POST acts (RFC 8058 section 3.2: no cookie, no redirect, no further question).
//!
//! The token alone says who leaves what, so that it works without the delivery's row and without a login. The body only
//! widens the wish to everything; whatever else it holds, a POST is a wish to leave. Doing it twice is doing it once.

use super::page::{Name, list, page, trouble, who};
use super::{Language, read_token};
use crate::App;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use postroad_model::contact::SubscriptionState;
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_store::{LinkOwner, Unsubscribe, UnsubscribeFrom};

/// What the body of a POST asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// A mail program's own button: leave the lists.
    OneClick,
    /// The page's first button: leave the lists.
    Lists,
    /// The page's second button.
    Everything,
}

impl Wish {
    /// RFC 8058 section 3.1: the body is a form, urlencoded or multipart, with `List-Unsubscribe=One-Click`.
    fn of(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        if text.split('&').any(|pair| pair.trim() == "all=1") {
            Self::Everything
        } else if text.contains("List-Unsubscribe") && text.contains("One-Click") {
            Self::OneClick
        } else {
            Self::Lists
        }
    }

    fn origin(self) -> &'static str {
        match self {
            Self::OneClick => "one-click",
            Self::Lists | Self::Everything => "page",
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    language: Language,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Some(token) = read_token(&app, path, LinkKind::Unsubscribe) else {
        return page(StatusCode::NOT_FOUND, language, Name::NotFound, &[]);
    };
    if token.effect == LinkEffect::Test {
        return page(StatusCode::OK, language, Name::Test, &[]);
    }
    match app.store.link_owner(token.contact, token.campaign, &token.lists).await {
        Ok(owner) => standing(language, owner),
        Err(error) => failed(language, &error),
    }
}

pub(super) async fn act(
    State(app): State<App>,
    language: Language,
    path: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(token) = read_token(&app, path, LinkKind::Unsubscribe) else {
        return page(StatusCode::NOT_FOUND, language, Name::NotFound, &[]);
    };
    let Ok(body) = body else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, language, Name::Refused, &[]);
    };
    if token.effect == LinkEffect::Test {
        return page(StatusCode::OK, language, Name::Test, &[]);
    }
    let wish = Wish::of(&body);
    // A task of its own: mail providers hang up early, and hyper then drops the handler with what it awaits.
    match tokio::spawn(leave(app, token, wish)).await {
        Ok(Ok(owner)) => standing(language, owner),
        Ok(Err(error)) => failed(language, &error),
        Err(error) => failed(language, &error),
    }
}

/// Takes the person off, then reads how things stand.
async fn leave(
    app: App,
    token: LinkToken,
    wish: Wish,
) -> postroad_store::Result<Option<LinkOwner>> {
    let from = match wish {
        Wish::OneClick | Wish::Lists => UnsubscribeFrom::Lists(token.lists.clone()),
        Wish::Everything => UnsubscribeFrom::Everything,
    };
    let done = app
        .store
        .unsubscribe(&Unsubscribe {
            contact: token.contact,
            from,
            campaign: Some(token.campaign),
            delivery: Some(token.delivery),
            origin: wish.origin().to_owned(),
            at: app.now(),
        })
        .await?;
    let owner = app.store.link_owner(token.contact, token.campaign, &token.lists).await?;
    let (lists, stopped, origin) = (done.lists, done.stopped, wish.origin());
    tracing::info!(campaign = token.campaign.0, lists, stopped, origin, "unsubscribed");
    if done.lists > 0
        && let Some(LinkOwner { campaign: Some(name), provider, .. }) = &owner
    {
        app.metrics.unsubscribed(name, *provider);
    }
    Ok(owner)
}

/// The page that fits how the person stands now. Somebody whose contact is gone gets no mail either.
fn standing(language: Language, owner: Option<LinkOwner>) -> Response {
    let Some(owner) = owner else {
        return page(StatusCode::OK, language, Name::Everything, &[]);
    };
    let subscribed =
        owner.lists.iter().any(|(_, state)| *state == Some(SubscriptionState::Subscribed));
    let name = match (owner.stopped_everywhere, subscribed) {
        (true, _) => Name::Everything,
        (false, true) => Name::Unsubscribe,
        (false, false) => Name::Left,
    };
    let who = who(owner.address.as_deref());
    let lists = list(owner.lists.into_iter().map(|(title, _)| title));
    page(StatusCode::OK, language, name, &[("who", who), ("lists", lists)])
}

fn failed(language: Language, error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "cannot serve an unsubscribe link");
    trouble(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_only_ever_widens_the_wish_to_leave() {
        let check = |body: &str, wish| assert_eq!(Wish::of(body.as_bytes()), wish, "{body:?}");
        check("List-Unsubscribe=One-Click", Wish::OneClick);
        check(
            "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n",
            Wish::OneClick,
        );
        check("", Wish::Lists);
        check("all=0", Wish::Lists);
        check("all=1", Wish::Everything);
        check("x=y&all=1\r\n", Wish::Everything);
        check("\u{0}garbage", Wish::Lists);
    }
}
