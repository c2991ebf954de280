//! One table of a TOML file, read key by key.
//!
//! Serde stops at the first fault and cannot name the nearest key, so the raw form here is the parsed table with
//! its spans: each accessor checks one key's type and range and reports its place; `finish` reports every key that
//! nobody asked for (the strictness of `deny_unknown_fields`, at every level). It does not know what keys mean.

use crate::problem::{Context, suggest};
use std::{cell::RefCell, collections::BTreeSet, ops::RangeInclusive, time::Duration};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub value: T,
    pub at: usize,
}

/// A table being read.
pub(crate) struct Section<'a> {
    pub ctx: Context<'a>,
    /// The path in the grammar, e.g. `relay.limits`.
    kind: &'static str,
    /// The path as the operator sees it, e.g. `relay[ses-1].limits[0]`.
    label: String,
    /// Where it begins.
    pub at: usize,
    table: &'a DeTable<'a>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    pub fn new(ctx: Context<'a>, kind: &'static str, table: &'a DeTable<'a>, at: usize) -> Self {
        Self { ctx, kind, label: kind.into(), at, table, asked: RefCell::default() }
    }

    /// Gives the section the name by which its problems are reported: `relay[ses-1]`.
    pub fn named(&mut self, name: &str) {
        self.label = format!("{}[{name}]", self.kind);
    }

    pub fn path(&self, key: &str) -> String {
        if self.label.is_empty() { key.to_owned() } else { format!("{}.{key}", self.label) }
    }

    pub fn error(&self, at: usize, key: &str, message: impl Into<String>) {
        self.ctx.error(at, &self.path(key), message);
    }

    pub fn warn(&self, at: usize, key: &str, message: impl Into<String>) {
        self.ctx.warn(at, &self.path(key), message);
    }

    /// Reports a key that must be there.
    pub fn missing(&self, key: &str, why: &str) {
        self.error(self.at, key, format!("is missing: {why}"));
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where a key's value stands, or the section when the key is absent.
    pub fn place(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    pub fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.ctx.problems.asked_for(self.kind, key);
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let is = value.get_ref().type_str();
        self.error(value.span().start, key, format!("must be {wanted}, not of type {is}"));
    }

    pub fn string(&self, key: &'static str) -> Option<At<String>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a text in quotes");
            return None;
        };
        if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t') {
            let code = u32::from(c);
            self.error(value.span().start, key, format!("holds a control character U+{code:04X}"));
            return None;
        }
        Some(At { value: text.to_owned(), at: value.span().start })
    }

    /// A text that may not be empty.
    pub fn word(&self, key: &'static str) -> Option<At<String>> {
        let text = self.string(key)?;
        if text.value.trim().is_empty() {
            self.error(text.at, key, "is empty");
            return None;
        }
        Some(text)
    }

    pub fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        let value = self.value(key)?;
        let at = value.span().start;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let digits = integer.as_str().replace('_', "");
        match i64::from_str_radix(&digits, integer.radix()) {
            Ok(number) if range.contains(&number) => Some(At { value: number, at }),
            Ok(_) | Err(_) => {
                let (low, high) = (range.start(), range.end());
                self.error(at, key, format!("must lie between {low} and {high}"));
                None
            }
        }
    }

    pub fn float(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(key, value, "a number");
                return None;
            }
        };
        match text.replace('_', "").parse::<f64>() {
            Ok(number) if range.contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                let (low, high) = (range.start(), range.end());
                self.error(
                    value.span().start,
                    key,
                    format!("must lie between {low} and {high}, both included"),
                );
                None
            }
        }
    }

    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag
    }

    /// A duration as text with its unit, inside a range.
    pub fn duration(
        &self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<At<Duration>> {
        let text = self.string(key)?;
        match postroad_model::time::parse_duration(&text.value) {
            Some(d) if range.contains(&d) => Some(At { value: d, at: text.at }),
            Some(_) => {
                let (low, high) = (range.start(), range.end());
                self.error(text.at, key, format!("must lie between {low:?} and {high:?}"));
                None
            }
            None => {
                self.error(
                    text.at,
                    key,
                    format!(
                        "{:?} is not a duration; write for instance \"30s\", \"10m\", \"24h\"",
                        text.value
                    ),
                );
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(key)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, v)| *v);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let near = suggest(&text.value, known.iter().copied());
            self.error(text.at, key, format!("{:?} is not known{near}", text.value));
        }
        found
    }

    /// A list of texts; `None` when the key is absent or no list.
    pub fn strings(&self, key: &'static str) -> Option<Vec<At<String>>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of texts, [\"…\", \"…\"]");
            return None;
        };
        let mut list = Vec::new();
        for item in array {
            match item.get_ref().as_str() {
                Some(text) => list.push(At { value: text.to_owned(), at: item.span().start }),
                None => self.wrong_type(key, item, "a list of texts; this element is not a text"),
            }
        }
        Some(list)
    }

    /// A table under a key.
    pub fn table(&self, key: &'static str, kind: &'static str) -> Option<Section<'a>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table, { key = value }");
            return None;
        };
        let mut section = Section::new(self.ctx, kind, table, value.span().start);
        section.label = self.path(key);
        Some(section)
    }

    /// A list of tables under a key.
    pub fn tables(&self, key: &'static str, kind: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let wanted = format!("a list of tables; write [[{}]]", self.path(key));
            self.wrong_type(key, value, &wanted);
            return Vec::new();
        };
        let mut list = Vec::new();
        for (n, item) in array.iter().enumerate() {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(key, item, "a list of tables; this element is not a table");
                continue;
            };
            let mut section = Section::new(self.ctx, kind, table, item.span().start);
            section.label = format!("{}[{n}]", self.path(key));
            list.push(section);
        }
        list
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !asked.contains(name) {
                let near = suggest(name, asked.iter().copied());
                self.error(key.span().start, name, format!("unknown key{near}"));
            }
        }
    }
}

/// True for what may name a relay, pool, limit or group: it labels metrics and stands in reports.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.as_bytes()[0].is_ascii_alphanumeric()
}

impl Section<'_> {
    /// A name in the form of [`is_name`].
    pub fn name(&self, key: &'static str) -> Option<At<String>> {
        let text = self.word(key)?;
        if is_name(&text.value) {
            return Some(text);
        }
        self.error(
            text.at,
            key,
            format!(
                "{:?} is not a name: 1 to 64 of the characters a-z A-Z 0-9 - _ . and no mark in front",
                text.value
            ),
        );
        None
    }
}
