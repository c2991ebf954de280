//! The pages: shipped HTML (templates/pages) with a handful of places, filled and escaped here.
//!
//! What must hold: text from the database only ever enters through [`escape`]; pages load nothing from elsewhere, run no
//! script and may not be framed. `render` and its template language are for mail, not for these.

use super::Language;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// No scripts, no images, nothing from elsewhere; the form posts to this page's own address.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";
/// When to come again after a 503, in seconds.
const RETRY_AFTER: &str = "60";

const LAYOUT: &str = include_str!("../../../../templates/pages/layout.html");

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)+) => {
        /// A page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Name { $($(#[$doc])* $name),+ }

        impl Name {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),+];

            fn template(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$name, Language::En) =>
                            include_str!(concat!("../../../../templates/pages/en/", $file, ".html")),
                        (Self::$name, Language::Vi) =>
                            include_str!(concat!("../../../../templates/pages/vi/", $file, ".html")),
                    )+
                }
            }
        }
    };
}

pages! {
    /// Asks whether to unsubscribe.
    Unsubscribe = "unsubscribe";
    /// Off the campaign's lists.
    Left = "left";
    /// Off everything.
    Everything = "everything";
    /// A link of a test message.
    Test = "test";
    /// Not a link of ours.
    NotFound = "not_found";
    /// The message cannot be shown any more.
    Gone = "gone";
    /// Ours; come again.
    Trouble = "trouble";
    /// Another method or body than our pages send.
    Refused = "refused";
}

/// HTML that is safe to put into a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Markup(String);

/// Text as HTML, for content and quoted attributes.
pub(crate) fn escape(text: &str) -> Markup {
    let mut html = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    Markup(html)
}

/// The line that tells for which address the page is; nothing once it was erased. The middle of the local part is hidden:
/// mail is forwarded, and its new reader learns nothing that the link does not show.
pub(crate) fn who(address: Option<&str>) -> Markup {
    let Some((local, domain)) = address.and_then(|a| a.rsplit_once('@')) else {
        return Markup(String::new());
    };
    let first: String = local.chars().take(1).collect();
    let Markup(shown) = escape(&format!("{first}…@{domain}"));
    Markup(format!(r#"<p class="who">{shown}</p>"#))
}

/// The lists by name; nothing when none of them stands any more.
pub(crate) fn list(names: impl IntoIterator<Item = String>) -> Markup {
    let items: String =
        names.into_iter().map(|name| format!("<li>{}</li>", escape(&name).0)).collect();
    Markup(if items.is_empty() { items } else { format!("<ul>{items}</ul>") })
}

/// A page with its places filled.
pub(crate) fn page(
    status: StatusCode,
    language: Language,
    name: Name,
    places: &[(&str, Markup)],
) -> Response {
    let html = Html(html(language, name, places));
    let headers =
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CONTENT_LANGUAGE, language.tag())];
    (status, headers, html).into_response()
}

/// The page for what is ours to mend.
pub(crate) fn trouble(language: Language) -> Response {
    let mut response = page(StatusCode::SERVICE_UNAVAILABLE, language, Name::Trouble, &[]);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

fn html(language: Language, name: Name, places: &[(&str, Markup)]) -> String {
    let template = name.template(language);
    let content = fill(template, |place| {
        places.iter().find(|(name, _)| *name == place).map_or("", |(_, markup)| markup.0.as_str())
    });
    let title = between(template, "<h1>", "</h1>");
    let other = language.other();
    fill(LAYOUT, |place| match place {
        "language" => language.tag(),
        "title" => title,
        "content" => &content,
        "other_tag" => other.tag(),
        "other_language" => other.name(),
        _ => "",
    })
}

/// Puts values at `{{place}}`, in one pass: a value that looks like a place stays as it is.
fn fill<'a>(template: &str, value: impl Fn(&str) -> &'a str) -> String {
    let mut filled = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((place, tail)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(value(place));
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let inside = text.split_once(from).and_then(|(_, tail)| tail.split_once(to));
    inside.map_or("", |(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(template: &str) -> BTreeSet<&str> {
        template.split("{{").skip(1).map(|t| t.split("}}").next().unwrap()).collect()
    }

    #[test]
    fn every_page_has_the_same_places_and_forms_in_both_languages() {
        for name in Name::ALL {
            let [en, vi] = Language::ALL.map(|l| name.template(l));
            assert_eq!(places(en), places(vi), "{name:?}");
            let forms = |t: &str| (t.matches("<form").count(), t.matches("name=\"all\"").count());
            assert_eq!(forms(en), forms(vi), "{name:?}");
            assert!(places(en).is_subset(&BTreeSet::from(["who", "lists"])), "{name:?}");
        }
    }

    #[test]
    fn every_page_is_whole_and_loads_nothing() {
        for name in Name::ALL {
            for language in Language::ALL {
                let html = html(language, *name, &[]);
                assert!(!html.contains("{{"), "{html}");
                assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{html}");
                assert!(!between(&html, "<title>", "</title>").is_empty(), "{html}");
                assert_eq!(html.matches("<h1>").count(), 1, "{html}");
                for word in ["<script", "<img", "http:", "https:", "src=", "url(", "@import"] {
                    assert!(!html.contains(word), "{word} in {html}");
                }
            }
        }
    }

    #[test]
    fn text_is_escaped_and_not_filled_again() {
        let lists = list(["<b>\"R&D's\"</b> {{who}}".to_owned()]);
        let page = html(Language::En, Name::Unsubscribe, &[("lists", lists), ("who", who(None))]);
        assert!(
            page.contains("<li>&lt;b&gt;&quot;R&amp;D&#39;s&quot;&lt;/b&gt; {{who}}</li>"),
            "{page}"
        );
    }

    #[test]
    fn an_address_shows_its_first_letter_and_domain_only() {
        let check = |address, expected: &str| assert_eq!(who(address).0, expected);
        check(Some("anna@example.com"), r#"<p class="who">a…@example.com</p>"#);
        check(Some("\"a@b\"@example.com"), r#"<p class="who">&quot;…@example.com</p>"#);
        check(Some("ông@vídụ.vn"), r#"<p class="who">ô…@vídụ.vn</p>"#);
        check(None, "");
    }
}
