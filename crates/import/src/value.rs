//! What a cell is: text, unless it is clearly a number or a truth value.
//!
//! Integers without leading zeros or a plus sign, decimals with a point, `true` and `false`. Dates, telephone numbers
//! with zeros, `1.000` (a thousand to some, one to others) and everything with more digits than survive stay text.
//! Cells are written straight into the JSON text of a contact's attributes.

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Integer(i64),
    Decimal(f64),
    Truth(bool),
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// Reads a trimmed cell.
    pub(crate) fn read(cell: &'a str) -> Self {
        let text = Self::Text(cell);
        match cell.as_bytes() {
            [b't' | b'T', ..] if cell.eq_ignore_ascii_case("true") => Self::Truth(true),
            [b'f' | b'F', ..] if cell.eq_ignore_ascii_case("false") => Self::Truth(false),
            [b'0'..=b'9' | b'-', ..] if cell.len() <= 20 => number(cell).unwrap_or(text),
            _ => text,
        }
    }

    /// Appends it as JSON.
    pub(crate) fn write(self, json: &mut String) {
        match self {
            Self::Integer(n) => json.push_str(&n.to_string()),
            // Finite by construction.
            Self::Decimal(n) => json.push_str(&serde_json::Value::from(n).to_string()),
            Self::Truth(b) => json.push_str(if b { "true" } else { "false" }),
            Self::Text(text) => write_text(text, json),
        }
    }
}

/// Appends a text as JSON.
pub(crate) fn write_text(text: &str, json: &mut String) {
    let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
    if plain {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

fn number(cell: &str) -> Option<Value<'_>> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !all_digits(whole) || leading_zero || cell == "-0" {
        return None;
    }
    match fraction {
        None => cell.parse().ok().map(Value::Integer),
        Some(f) if !all_digits(f) || whole.len() + f.len() > 15 => None,
        // Thousands or thousandths: who can tell.
        Some(f) if f.len() == 3 && whole.len() <= 3 && whole != "0" => None,
        Some(_) => cell.parse().ok().map(Value::Decimal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_typed_where_they_clearly_are() {
        let check = |cell: &str, expected: &str| {
            let mut json = String::new();
            Value::read(cell).write(&mut json);
            assert_eq!(json, expected, "{cell}");
        };
        check("42", "42");
        check("-7", "-7");
        check("0", "0");
        check("1.5", "1.5");
        check("0.125", "0.125");
        check("-21.0285", "-21.0285");
        check("1.50", "1.5");
        check("TRUE", "true");
        check("false", "false");
        check("0912345678", "\"0912345678\"");
        check("+84912345678", "\"+84912345678\"");
        check("1.000", "\"1.000\"");
        check("1,5", "\"1,5\"");
        check("1e5", "\"1e5\"");
        check("-", "\"-\"");
        check("-0", "\"-0\"");
        check("2026-12-01", "\"2026-12-01\"");
        check("99999999999999999999", "\"99999999999999999999\"");
        check("12.34.56", "\"12.34.56\"");
        check("a \"b\"\n", "\"a \\\"b\\\"\\n\"");
    }
}
