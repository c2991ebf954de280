//! Folder names for people: modified UTF-7 (RFC 3501 section 5.1.3) to Unicode.
//!
//! Used where names are shown and guessed from; commands get the name as the server wrote it. What cannot be read is
//! left as it stands, so that nothing is lost and nothing panics.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Base64 with a comma for the slash, without padding, and with whatever the last bits are.
const CODE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A name as people read it.
pub(crate) fn decoded(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some((before, from)) = rest.split_once('&') {
        out.push_str(before);
        let Some((code, after)) = from.split_once('-') else {
            out.push('&');
            rest = from;
            break;
        };
        match letters(code) {
            Some(text) => out.push_str(&text),
            None => {
                out.push('&');
                out.push_str(code);
                out.push('-');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn letters(code: &str) -> Option<String> {
    if code.is_empty() {
        return Some("&".into());
    }
    let octets = CODE.decode(code).ok()?;
    let units: Vec<u16> =
        octets.chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
    String::from_utf16(&units).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_script_and_left_alone_where_they_cannot_be() {
        let check = |name: &str, expected: &str| assert_eq!(decoded(name), expected, "{name}");
        check("INBOX", "INBOX");
        check("Entw&APw-rfe", "Entwürfe");
        check("&BCEEPwQwBDw-", "Спам");
        check("R&-D", "R&D");
        check("Tom & Jerry", "Tom & Jerry");
        check("a&!!-b", "a&!!-b");
        check("&2D0-", "&2D0-");
        check("&", "&");
        check("", "");
    }
}
