//! Helpers that make text: fallbacks, case, length, encodings, and the message's own links.

use super::{Args, Fault, PREHEADER, UNSUBSCRIBE, VIEW};
use crate::facts::Locale;
use handlebars::JsonRender;
use serde_json::Value;

/// `{{default first_name "friend"}}`: the first argument that is there and not blank.
pub(super) fn default(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let last = args.len().saturating_sub(1);
    let filled = |v: &&Value| !v.as_str().is_some_and(|s| s.trim().is_empty());
    let first = (0..last).find_map(|i| args.optional(i).filter(filled));
    first.map_or_else(|| args.value(last), Ok).cloned()
}

pub(super) fn upper(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(args.text(0)?.to_uppercase().into())
}

pub(super) fn lower(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(args.text(0)?.to_lowercase().into())
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The first letter large, the rest as it is.
pub(super) fn capitalise(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(capital(args.text(0)?.trim_start()).into())
}

/// Each word's first letter large, the others small: NGUYỄN VĂN AN becomes Nguyễn Văn An.
pub(super) fn title(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let text = args.text(0)?.to_lowercase();
    Ok(text.split_whitespace().map(capital).collect::<Vec<_>>().join(" ").into())
}

/// `{{truncate text 80}}`: at most 80 characters, cut at a word where one ends in the second half, with an ellipsis.
pub(super) fn truncate(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let text = args.text(0)?;
    let most = args
        .named("length", 1)
        .and_then(|n| n.parse::<usize>().ok())
        .filter(|n| *n > 0)
        .ok_or_else(|| Fault::Says("write the greatest length: {{truncate text 80}}".to_owned()))?;
    let Some((cut, _)) = text.char_indices().nth(most - 1).filter(|_| text.chars().count() > most)
    else {
        return Ok(text.into());
    };
    let head = &text[..cut];
    let word = head.rfind(char::is_whitespace).filter(|i| *i * 2 > head.len()).unwrap_or(cut);
    let end = if text[cut..].starts_with(char::is_whitespace) { cut } else { word };
    Ok(format!("{}…", text[..end].trim_end()).into())
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

pub(super) fn urlencode(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(percent_encode(&args.text(0)?).into())
}

/// `{{plural count "item" "items"}}`: the word alone. With one form English adds an s, Vietnamese nothing.
pub(super) fn plural(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let count = args.text(0)?;
    let one = matches!(count.trim().parse::<f64>(), Ok(n) if (n.abs() - 1.0).abs() < f64::EPSILON);
    let singular = args.text(1)?;
    let word = match (one, args.named("other", 2), args.locale()?) {
        (true, _, _) | (false, None, Locale::Vi) => singular,
        (false, Some(other), _) => other,
        (false, None, Locale::En) => format!("{singular}s"),
    };
    Ok(word.into())
}

/// JSON that is safe inside a script element.
pub(super) fn json(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let text = serde_json::to_string(args.value(0)?).map_err(|e| Fault::Says(e.to_string()))?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    Ok(out.into())
}

pub(super) fn strip_tags(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(crate::text::strip_tags(&args.text(0)?).into())
}

/// `{{join tags ", "}}`.
pub(super) fn join(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let between = args.named("with", 1).unwrap_or_else(|| ", ".to_owned());
    let value = args.value(0)?;
    let Some(items) = value.as_array() else { return Ok(value.clone()) };
    Ok(items.iter().map(JsonRender::render).collect::<Vec<_>>().join(&between).into())
}

const SCHEMES: [&str; 7] = ["http", "https", "mailto", "tel", "sms", "cid", "webcal"];

/// Lets a value be a link only with a scheme that cannot run anything. Put around the expression that begins a
/// link by `prepare`, so that a contact's data cannot become `javascript:` in the web view.
pub(super) fn safe_url(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let url = args.text(0)?;
    // Browsers drop these before they look for the scheme.
    let bare: String = url.chars().filter(|c| !c.is_control()).collect();
    let bare = bare.trim();
    let scheme =
        bare.split(['/', '?', '#']).next().and_then(|head| head.split_once(':')).map(|(s, _)| s);
    match scheme {
        Some(s) if !SCHEMES.contains(&s.to_ascii_lowercase().as_str()) => {
            let shown: String = s.chars().take(20).collect();
            Err(Fault::Says(format!(
                "{shown}: may not begin a link; allowed are {}",
                SCHEMES.join(", ")
            )))
        }
        Some(_) | None => Ok(bare.into()),
    }
}

fn fact(args: &Args<'_, '_>, name: &str, remedy: &str) -> Result<Value, Fault> {
    args.fact(name).map(Value::from).ok_or_else(|| Fault::Says(remedy.to_owned()))
}

pub(super) fn unsubscribe_url(args: &Args<'_, '_>) -> Result<Value, Fault> {
    fact(
        args,
        UNSUBSCRIBE,
        "there is no way to unsubscribe; set [web] public_url or the domain's unsubscribe_mailto",
    )
}

pub(super) fn view_url(args: &Args<'_, '_>) -> Result<Value, Fault> {
    fact(args, VIEW, "there is no web view; set [web] public_url")
}

/// Empty where the campaign has none, so that one template serves both.
pub(super) fn preheader(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(args.fact(PREHEADER).unwrap_or("").into())
}
