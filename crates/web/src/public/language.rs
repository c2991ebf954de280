//! Which of the pages' two languages a reader gets: `?lang=`, else Accept-Language (RFC 9110 section 12.5.4), else English.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::convert::Infallible;

/// Accept-Language fields with more members than this are not a person's.
const MEMBERS: usize = 32;

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// Vietnamese.
    Vi,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::Vi];

    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }

    /// Its name in itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Vi => "Tiếng Việt",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::En => Self::Vi,
            Self::Vi => Self::En,
        }
    }

    fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|l| l.tag().eq_ignore_ascii_case(primary))
    }

    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let chosen = query.into_iter().flat_map(|q| q.split('&')).find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            if key == "lang" { Self::parse(value) } else { None }
        });
        chosen.or_else(|| Self::accepted(headers)).unwrap_or_default()
    }

    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let field = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        let mut best: Option<(f32, Self)> = None;
        for member in field.split(',').take(MEMBERS) {
            let mut parts = member.split(';');
            let Some(language) = parts.next().and_then(Self::parse) else { continue };
            let quality = parts
                .find_map(|p| p.trim().strip_prefix("q=").map(|q| q.trim().parse().unwrap_or(0.0)))
                .unwrap_or(1.0);
            // The first of equals wins.
            if quality > 0.0 && best.is_none_or(|(q, _)| quality > q) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, parts.uri.query()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_decides_then_the_browser_then_english() {
        let check = |query: Option<&str>, accept: &str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            assert_eq!(Language::of(&headers, query), expected, "{query:?} {accept}");
        };
        check(None, "", Language::En);
        check(None, "vi", Language::Vi);
        check(None, "vi-VN,vi;q=0.9,en-US;q=0.8", Language::Vi);
        check(None, "fr-FR, en;q=0.5, vi;q=0.7", Language::Vi);
        check(None, "en;q=0.8, vi;q=0.8", Language::En);
        check(None, "vi;q=0, en;q=0.1", Language::En);
        check(None, "vi;q=x, de", Language::En);
        check(None, "video", Language::En);
        check(Some("lang=en"), "vi", Language::En);
        check(Some("a=b&lang=VI-vn"), "en", Language::Vi);
        check(Some("lang=de"), "vi", Language::Vi);
        check(Some("lang"), "en", Language::En);
    }
}
