//! Bytes of a text to characters, also where the named charset is wrong.
//!
//! `mime` and `fields` call it for each text part and header. The decoders are mail-parser's (WHATWG encodings and
//! UTF-7); choosing among them is done here, since bounces name charsets that they do not use. What always holds: it
//! returns a text for any bytes, and says whether the named charset fitted. It does not normalise.

use mail_parser::decoders::charsets::map::charset_decoder;

/// Charsets that are tried where the named one does not fit; the last one fits everything.
const GUESSES: [&str; 4] = ["shift_jis", "euc-jp", "gb18030", "windows-1252"];

/// The text, and whether the named charset fitted it.
pub(crate) fn decode(bytes: &[u8], label: Option<&str>) -> (String, bool) {
    let label = label.map(|l| l.trim().trim_matches(['"', '\'']).to_ascii_lowercase());
    let name = label.as_deref().unwrap_or("");
    // RFC 1642's name is still what Windows' SMTP service writes.
    if name.ends_with("utf-7") {
        return (run("utf-7", bytes).unwrap_or_else(|| lossy(bytes)), true);
    }
    if name.starts_with("utf-16") {
        return (run(name, bytes).unwrap_or_else(|| lossy(bytes)), true);
    }
    if escapes_iso_2022(bytes) {
        let named = name.is_empty() || name.starts_with("iso-2022");
        return (run("iso-2022-jp", bytes).unwrap_or_else(|| lossy(bytes)), named);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let named = text.is_ascii() || name.is_empty() || name.contains("utf-8");
        return (text.to_owned(), named);
    }
    if let Some(text) = run(name, bytes).filter(|t| !t.contains(char::REPLACEMENT_CHARACTER)) {
        return (text, true);
    }
    let guess = GUESSES
        .iter()
        .filter_map(|name| run(name, bytes))
        .filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))
        .max_by_key(|text| kana(text));
    (guess.unwrap_or_else(|| lossy(bytes)), false)
}

fn run(name: &str, bytes: &[u8]) -> Option<String> {
    // The decoder's table is asked with at most 45 bytes.
    (!name.is_empty() && name.len() <= 45)
        .then(|| charset_decoder(name.as_bytes()))
        .flatten()
        .map(|decoder| decoder(bytes))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// ESC $ or ESC ( switch character sets in ISO-2022-JP; nothing else in a mail contains them.
fn escapes_iso_2022(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0x1b, bytes).any(|at| matches!(bytes.get(at + 1), Some(b'$' | b'(')))
}

/// Japanese text is mostly kana; the wrong one of two Japanese charsets yields rare signs instead.
fn kana(text: &str) -> usize {
    text.chars().filter(|c| matches!(c, '\u{3040}'..='\u{30ff}')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], label: Option<&str>, expected: &str) {
        assert_eq!(decode(bytes, label).0, expected, "{label:?}");
    }

    #[test]
    fn a_text_is_decoded_by_its_charset_and_despite_a_wrong_one() {
        check(b"plain", None, "plain");
        check(b"caf\xe9", Some("iso-8859-1"), "caf\u{e9}");
        check(b"caf\xe9", None, "caf\u{e9}");
        check("caf\u{e9}".as_bytes(), Some("us-ascii"), "caf\u{e9}");
        check(b"\x1b$B%a!<%k\x1b(B", Some("iso-2022-jp"), "\u{30e1}\u{30fc}\u{30eb}");
        check(b"\x1b$B%a!<%k\x1b(B", Some("utf-8"), "\u{30e1}\u{30fc}\u{30eb}");
        check(
            b"\xa5\xe1\xa1\xbc\xa5\xeb\xa4\xce",
            Some("iso-2022-jp"),
            "\u{30e1}\u{30fc}\u{30eb}\u{306e}",
        );
        check(b"\x83\x81\x81[\x83\x8b", Some("nonsense"), "\u{30e1}\u{30fc}\u{30eb}");
        check(b"Hi +AGE-b", Some("unicode-1-1-utf-7"), "Hi ab");
        check(
            b"\xcf\xe8\xf1\xfc\xec\xee",
            Some("windows-1251"),
            "\u{41f}\u{438}\u{441}\u{44c}\u{43c}\u{43e}",
        );
    }
}
