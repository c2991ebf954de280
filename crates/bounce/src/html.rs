//! HTML to lines of text, for bounces that say everything in HTML.
//!
//! `mime` calls it for text/html parts. It only drops tags, styles and scripts, breaks lines at blocks and decodes
//! the entities that servers use; it is no renderer. What always holds: one pass, output not longer than the input.

/// Tags that end a line.
const LINES: [&str; 6] = ["br", "tr", "td", "th", "li", "div"];
/// Tags that end a paragraph.
const PARAGRAPHS: [&str; 11] =
    ["p", "table", "ul", "ol", "h1", "h2", "h3", "h4", "hr", "pre", "blockquote"];
/// Tags whose content is no text.
const HIDDEN: [&str; 3] = ["style", "script", "title"];

/// The text of an HTML document, in lines.
pub(crate) fn to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 4);
    let mut rest = html;
    let mut blank = true;
    while let Some(c) = rest.chars().next() {
        match c {
            '<' => {
                let (name, after) = tag(rest);
                let ends = line_ends(name.trim_start_matches('/'));
                if ends > 0 {
                    let there = out.len() - out.trim_end_matches('\n').len();
                    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(there)));
                    blank = true;
                }
                let hidden = HIDDEN.contains(&name.as_str());
                rest = if hidden { after_end(after, &name) } else { after };
            }
            '&' => {
                let (decoded, after) = entity(rest);
                blank = decoded == ' ';
                out.push(decoded);
                rest = after;
            }
            _ => {
                if !c.is_whitespace() {
                    out.push(c);
                } else if !blank {
                    out.push(' ');
                }
                blank = c.is_whitespace();
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

fn line_ends(name: &str) -> usize {
    if PARAGRAPHS.contains(&name) { 2 } else { usize::from(LINES.contains(&name)) }
}

/// Name of the tag at the front (with `/` for an end tag), and what follows the tag.
fn tag(text: &str) -> (String, &str) {
    if let Some(comment) = text.strip_prefix("<!--") {
        let end = comment.find("-->").map_or("", |at| &comment[at + 3..]);
        return (String::new(), end);
    }
    let inner = &text[1..];
    let name_end = inner
        .char_indices()
        .position(|(i, c)| !(c.is_ascii_alphanumeric() || (i == 0 && c == '/')))
        .unwrap_or(inner.len());
    let name = inner.get(..name_end).unwrap_or_default().to_ascii_lowercase();
    // `<a@b.c>` and `< 5` are text that somebody forgot to escape: the sign alone is dropped.
    let is_tag = !name.is_empty()
        && inner[name_end..].starts_with(|c: char| c == '>' || c == '/' || c.is_whitespace());
    if !is_tag && !inner.starts_with('!') {
        return (String::new(), inner);
    }
    match inner.find('>') {
        Some(at) => (name, &inner[at + 1..]),
        None => (name, ""),
    }
}

/// What follows the end tag of this name.
fn after_end<'t>(text: &'t str, name: &str) -> &'t str {
    let mut from = 0;
    while let Some(at) = text[from..].find("</") {
        let start = from + at + 2;
        let here = text.get(start..start + name.len());
        if here.is_some_and(|n| n.eq_ignore_ascii_case(name)) {
            return text[start..].find('>').map_or("", |end| &text[start + end + 1..]);
        }
        from = start;
    }
    ""
}

fn entity(text: &str) -> (char, &str) {
    let end = text.bytes().take(10).position(|b| b == b';');
    let decoded = end.and_then(|end| {
        let name = &text[1..end];
        let c = match name {
            "nbsp" => ' ',
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" | "rsquo" | "lsquo" => '\'',
            numeric => {
                let number = numeric.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code).filter(|c| !c.is_control()).unwrap_or(' ')
            }
        };
        Some((c, &text[end + 1..]))
    });
    decoded.unwrap_or(('&', &text[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &[&str]) {
        let text = to_text(html);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn tags_break_lines_and_styles_are_dropped() {
        check(
            "<html><head><title>x</title><STYLE>p{a:b}</style></head><body><p>Hello&nbsp;<b>you</b><br/>there</p>",
            &["Hello you", "there"],
        );
        check("1 &lt; 2 &#39;q&#x27; &bogus; <!-- no --> end", &["1 < 2 'q' &bogus; end"]);
        check("<a@b.example>: unknown", &["a@b.example>: unknown"]);
        check("<td>a</td><td>b</td><script>if (a < b) {}</script>c", &["a", "b", "c"]);
        check("<style>never closed", &[]);
        check("a <", &["a"]);
    }
}
