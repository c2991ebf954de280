//! Numbers and money as a locale writes them: 1,234.5 in English, 1.234,5 in Vietnamese; $1,234.50 and 1.234 ₫.
//!
//! Works on the decimal digits, never on binary fractions, so that no cent appears or vanishes. Halves round away
//! from zero.

use super::{Args, Fault};
use crate::facts::Locale;
use serde_json::Value;

/// A decimal number: its sign and the digits before and after the point.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    fn read(value: &Value) -> Result<Self, Fault> {
        let text = match value {
            Value::Number(n) => match n.as_f64() {
                Some(f) if n.is_f64() => format!("{f}"),
                Some(_) | None => n.to_string(),
            },
            Value::String(s) => s.trim().to_owned(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        };
        let not = || Fault::Says(format!("{text:.40} is not a number; write it like 1234.5"));
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let ok = !whole.is_empty()
            && text.len() <= 60
            && [whole, fraction].iter().all(|d| d.bytes().all(|b| b.is_ascii_digit()));
        if !ok {
            return Err(not());
        }
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole }.to_owned();
        Ok(Self { negative, whole, fraction: fraction.to_owned() })
    }

    /// Rounds to a number of digits after the point, and fills up to it.
    fn round(mut self, places: usize) -> Self {
        if self.fraction.len() <= places {
            self.fraction.push_str(&"0".repeat(places - self.fraction.len()));
            return self;
        }
        let up = self.fraction.as_bytes()[places] >= b'5';
        self.fraction.truncate(places);
        let mut digits = format!("{}{}", self.whole, self.fraction).into_bytes();
        let mut carry = up;
        for digit in digits.iter_mut().rev() {
            if !carry {
                break;
            }
            carry = *digit == b'9';
            *digit = if carry { b'0' } else { *digit + 1 };
        }
        if carry {
            digits.insert(0, b'1');
        }
        let text = String::from_utf8_lossy(&digits).into_owned();
        let split = text.len() - places;
        (self.whole, self.fraction) = (text[..split].to_owned(), text[split..].to_owned());
        self
    }

    fn show(&self, locale: Locale) -> String {
        let (group, point) = match locale {
            Locale::En => (',', '.'),
            Locale::Vi => ('.', ','),
        };
        let zero = self.whole.bytes().chain(self.fraction.bytes()).all(|b| b == b'0');
        let mut out = if self.negative && !zero { "-".to_owned() } else { String::new() };
        for (i, digit) in self.whole.chars().enumerate() {
            if i > 0 && (self.whole.len() - i).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        if !self.fraction.is_empty() {
            out.push(point);
            out.push_str(&self.fraction);
        }
        out
    }
}

fn places(args: &Args<'_, '_>, index: usize) -> Result<Option<usize>, Fault> {
    match args.named("digits", index) {
        None => Ok(None),
        Some(n) => match n.parse() {
            Ok(n) if n <= 12 => Ok(Some(n)),
            Ok(_) | Err(_) => Err(Fault::Says(format!("digits={n} must be 0 to 12"))),
        },
    }
}

/// `{{number amount}}`, `{{number amount 2}}`, `{{number amount digits=2 locale="vi"}}`.
pub(super) fn number(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let decimal = Decimal::read(args.value(0)?)?;
    let decimal = match places(args, 1)? {
        Some(n) => decimal.round(n),
        None => decimal,
    };
    Ok(decimal.show(args.locale()?).into())
}

/// `{{percent 0.25}}` is 25%.
pub(super) fn percent(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let mut decimal = Decimal::read(args.value(0)?)?;
    decimal = decimal.round(places(args, 1)?.unwrap_or(0) + 2);
    let moved: String = decimal.fraction.drain(..2).collect();
    let whole = format!("{}{moved}", decimal.whole);
    let whole = whole.trim_start_matches('0');
    decimal.whole = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    Ok(format!("{}%", decimal.show(args.locale()?)).into())
}

/// Currencies with a sign of their own, and the digits after the point (ISO 4217).
const CURRENCIES: [(&str, &str, usize); 12] = [
    ("VND", "₫", 0),
    ("USD", "$", 2),
    ("EUR", "€", 2),
    ("GBP", "£", 2),
    ("JPY", "¥", 0),
    ("KRW", "₩", 0),
    ("INR", "₹", 2),
    ("CLP", "CLP", 0),
    ("ISK", "ISK", 0),
    ("KWD", "KWD", 3),
    ("BHD", "BHD", 3),
    ("TND", "TND", 3),
];

/// `{{money price "VND"}}`, `{{money price currency="USD"}}`.
pub(super) fn money(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let code = args
        .named("currency", 1)
        .map(|c| c.trim().to_ascii_uppercase())
        .ok_or_else(|| Fault::Says("name the currency: {{money price \"VND\"}}".to_owned()))?;
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Fault::Says(format!("{code:.20} is not a currency code like VND or USD")));
    }
    let known = CURRENCIES.iter().find(|(c, ..)| *c == code);
    let (sign, minor) = known.map_or((code.as_str(), 2), |(_, sign, minor)| (*sign, *minor));
    let amount = Decimal::read(args.value(0)?)?.round(places(args, usize::MAX)?.unwrap_or(minor));
    let locale = args.locale()?;
    let shown = amount.show(locale);
    let minus = if shown.starts_with('-') { "-" } else { "" };
    let digits = shown.trim_start_matches('-');
    let text = match locale {
        // A code needs a space, a sign none; the space does not break.
        Locale::En if sign.len() == 3 && sign.is_ascii() => format!("{minus}{sign}\u{a0}{digits}"),
        Locale::En => format!("{minus}{sign}{digits}"),
        Locale::Vi if code == "USD" => format!("{minus}{digits}\u{a0}US$"),
        Locale::Vi => format!("{minus}{digits}\u{a0}{sign}"),
    };
    Ok(text.into())
}
