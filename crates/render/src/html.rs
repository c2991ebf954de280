//! A small HTML tokenizer: enough of the standard's tokenization (HTML, section 13.2.5) to know tags, attributes,
//! text, comments and raw-text elements apart, and where each one stands.
//!
//! Used on templates whose expressions are hidden behind words (`prepare`, `text`) and on rendered HTML (`inspect`).
//! It accepts anything and never panics; it builds no tree and repairs nothing.

/// How an attribute's value is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quote {
    Quoted,
    Bare,
}

/// One attribute of a start tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attr<'a> {
    pub name: &'a str,
    pub name_at: usize,
    /// The value as written, entities not decoded.
    pub value: Option<&'a str>,
    pub value_at: usize,
    pub quote: Quote,
}

/// A piece of markup with its offset in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Text(&'a str),
    /// Content of `style`, `script`, `title` and the like; the element's name in lower case.
    Raw(String, &'a str),
    Start(Tag<'a>),
    /// The name in lower case.
    End(String),
    Comment(&'a str),
    /// Doctype, processing instruction, CDATA.
    Other,
}

/// A start tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// In lower case.
    pub name: String,
    pub attrs: Vec<Attr<'a>>,
    pub self_closing: bool,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, `""` for one without a value.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let attr = self.attrs.iter().find(|a| a.name.eq_ignore_ascii_case(name))?;
        Some(attr.value.unwrap_or(""))
    }
}

/// A token and the range of the source that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned<'a> {
    pub token: Token<'a>,
    pub start: usize,
    pub end: usize,
}

const RAW_TEXT: [&str; 10] = [
    "style",
    "script",
    "title",
    "textarea",
    "xmp",
    "iframe",
    "noembed",
    "mj-style",
    "mj-title",
    "mj-preview",
];

pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Splits markup into tokens that together cover all of it.
pub(crate) fn tokens(source: &str) -> Vec<Spanned<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut text_from = 0;
    while let Some(lt) = source[at..].find('<').map(|i| at + i) {
        let Some((token, end)) = markup(source, lt) else {
            at = lt + 1;
            continue;
        };
        push_text(&mut out, source, text_from, lt);
        let raw = if let Token::Start(tag) = &token {
            let raw = !tag.self_closing && RAW_TEXT.contains(&tag.name.as_str());
            raw.then(|| tag.name.clone())
        } else {
            None
        };
        out.push(Spanned { token, start: lt, end });
        at = end;
        if let Some(name) = raw {
            let close = find_close(source, end, &name);
            if close > end {
                out.push(Spanned {
                    token: Token::Raw(name, &source[end..close]),
                    start: end,
                    end: close,
                });
            }
            at = close;
        }
        text_from = at;
    }
    push_text(&mut out, source, text_from, source.len());
    out
}

fn push_text<'a>(out: &mut Vec<Spanned<'a>>, source: &'a str, start: usize, end: usize) {
    if start < end {
        out.push(Spanned { token: Token::Text(&source[start..end]), start, end });
    }
}

/// Where `</name` begins, or the end of the source.
fn find_close(source: &str, from: usize, name: &str) -> usize {
    let bytes = source.as_bytes();
    (from..bytes.len())
        .find(|i| {
            let tail = &bytes[*i..];
            tail.starts_with(b"</")
                && tail
                    .get(2..2 + name.len())
                    .is_some_and(|t| t.eq_ignore_ascii_case(name.as_bytes()))
        })
        .unwrap_or(bytes.len())
}

/// The markup at `lt`, where a `<` stands; `None` when that is only text.
fn markup(source: &str, lt: usize) -> Option<(Token<'_>, usize)> {
    let rest = &source[lt..];
    let bytes = rest.as_bytes();
    if let Some(body) = rest.strip_prefix("<!--") {
        let len = body.find("-->");
        let end = len.map_or(source.len(), |l| lt + 4 + l + 3);
        return Some((Token::Comment(&body[..len.unwrap_or(body.len())]), end));
    }
    let until_gt = || rest.find('>').map_or(source.len(), |i| lt + i + 1);
    match bytes.get(1)? {
        b'!' | b'?' => Some((Token::Other, until_gt())),
        b'/' => {
            let name = name_of(rest.get(2..)?)?;
            Some((Token::End(name), until_gt()))
        }
        b if b.is_ascii_alphabetic() => Some(start_tag(source, lt)),
        _ => None,
    }
}

fn name_of(text: &str) -> Option<String> {
    let end = text.find(|c| is_space(c) || matches!(c, '/' | '>')).unwrap_or(text.len());
    let name = &text[..end];
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| name.to_ascii_lowercase())
}

fn start_tag(source: &str, lt: usize) -> (Token<'_>, usize) {
    let name = name_of(&source[lt + 1..]).unwrap_or_default();
    let mut at = lt + 1 + name.len();
    let mut tag = Tag { name, attrs: Vec::new(), self_closing: false };
    loop {
        at += skip(&source[at..], is_space);
        match source.as_bytes().get(at) {
            None => return (Token::Start(tag), source.len()),
            Some(b'>') => return (Token::Start(tag), at + 1),
            Some(b'/') => {
                tag.self_closing = source.as_bytes().get(at + 1) == Some(&b'>');
                at += 1;
            }
            Some(_) => {
                let (attr, end) = attribute(source, at);
                tag.attrs.push(attr);
                at = end;
            }
        }
    }
}

fn skip(text: &str, what: impl Fn(char) -> bool) -> usize {
    text.find(|c| !what(c)).unwrap_or(text.len())
}

fn attribute(source: &str, start: usize) -> (Attr<'_>, usize) {
    // A leading `=` belongs to the name, as the standard has it; so at least one character is taken.
    let first = source[start..].chars().next().map_or(1, char::len_utf8);
    let name_end = start
        + first
        + skip(&source[start + first..], |c| !is_space(c) && !matches!(c, '/' | '>' | '='));
    let name = &source[start..name_end];
    let eq = name_end + skip(&source[name_end..], is_space);
    let none = Attr { name, name_at: start, value: None, value_at: name_end, quote: Quote::Bare };
    if source.as_bytes().get(eq) != Some(&b'=') {
        return (none, name_end);
    }
    let at = eq + 1 + skip(&source[eq + 1..], is_space);
    match source.as_bytes().get(at) {
        Some(q @ (b'"' | b'\'')) => {
            let len = source[at + 1..].find(char::from(*q));
            let end = len.map_or(source.len(), |l| at + 1 + l);
            let value = Some(&source[at + 1..end]);
            let attr = Attr { value, value_at: at + 1, quote: Quote::Quoted, ..none };
            (attr, (end + 1).min(source.len()))
        }
        _ => {
            let end = at + skip(&source[at..], |c| !is_space(c) && c != '>');
            (Attr { value: Some(&source[at..end]), value_at: at, ..none }, end)
        }
    }
}

/// Decodes the entities that mail uses; unknown ones stay as written.
pub(crate) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(amp) = rest.find('&') {
        out.push_str(&rest[..amp]);
        rest = &rest[amp..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|e| entity(&rest[1..e]).map(|c| (c, e))) {
            Some((c, e)) => {
                out.push(c);
                rest = &rest[e + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    }
    NAMED.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
}

const NAMED: [(&str, char); 42] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("middot", '·'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("cent", '¢'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("times", '×'),
    ("divide", '÷'),
    ("frac12", '½'),
    ("sect", '§'),
    ("para", '¶'),
    ("larr", '←'),
    ("rarr", '→'),
    ("uarr", '↑'),
    ("darr", '↓'),
    ("check", '✓'),
    ("shy", '\u{ad}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
];

/// Escapes what has a meaning in text and in quoted attribute values, and nothing else.
pub(crate) fn escape(text: &str) -> String {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(i) = rest.find(special) {
        out.push_str(&rest[..i]);
        out.push_str(match rest.as_bytes()[i] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &rest[i + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(source: &str, expected: &str) {
        let shown: Vec<String> = tokens(source)
            .iter()
            .map(|s| match &s.token {
                Token::Text(t) => format!("text({t})"),
                Token::Raw(n, t) => format!("raw({n}:{t})"),
                Token::Comment(t) => format!("comment({t})"),
                Token::End(n) => format!("end({n})"),
                Token::Other => "other".to_owned(),
                Token::Start(tag) => {
                    let attrs: Vec<String> =
                        tag.attrs.iter().map(|a| format!("{}={:?}", a.name, a.value)).collect();
                    format!("start({} {})", tag.name, attrs.join(","))
                }
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{source}");
    }

    #[test]
    fn markup_is_told_from_text() {
        check("a < b", "text(a < b)");
        check("<!DOCTYPE html><P>x</P >", "other start(p ) text(x) end(p)");
        check("<a href='x y' B=c d>", "start(a href=Some(\"x y\"),B=Some(\"c\"),d=None)");
        check("<br/><!-- <p> -->x", "start(br ) comment( <p> ) text(x)");
        check("<style>a<b</STYLE>c", "start(style ) raw(style:a<b) end(style) text(c)");
        check("<a href=\"x", "start(a href=Some(\"x\"))");
        check("<img src=x/>", "start(img src=Some(\"x/\"))");
    }

    #[test]
    fn entities_are_decoded_once() {
        assert_eq!(decode("a &amp;amp; &#7879; &#x27; &nope; &"), "a &amp; ệ ' &nope; &");
        assert_eq!(
            escape("O'Neill <b> \"&\" ?a=1"),
            "O&#39;Neill &lt;b&gt; &quot;&amp;&quot; ?a=1"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_covered_by_its_tokens(text in "[<>/!a-z='\" é&;-]{0,60}") {
            let mut at = 0;
            for token in tokens(&text) {
                prop_assert_eq!(token.start, at);
                prop_assert!(token.end > at);
                at = token.end;
            }
            prop_assert_eq!(at, text.len());
            let _ = decode(&text);
        }
    }
}
