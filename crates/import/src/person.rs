//! One row: a contact as the store takes it, or the reason why not.
//!
//! Called by the reading thread for each record, so that hashing and JSON are done beside the database's work. Pure but
//! for two caches. It decides nothing that needs the database.

use crate::columns::{Columns, bare_address};
use crate::headers::OptOut;
use crate::rejects::Reason;
use crate::table::Fields;
use crate::value::{Value, write_text};
use postroad_model::address::Mailbox;
use postroad_model::token::TokenKeys;
use postroad_model::{EmailAddress, MailboxProvider};
use postroad_store::{Attributes, ImportRow};
use std::collections::HashMap;

/// Domains whose mailbox provider is remembered.
const CACHE_MAX: usize = 50_000;

/// Turns records into people.
pub(crate) struct PersonReader {
    pub columns: Columns,
    keys: TokenKeys,
    /// Where the MX was looked up.
    looked_up: HashMap<String, MailboxProvider>,
    cache: HashMap<String, MailboxProvider>,
}

/// A refused row: which column, and why.
pub(crate) struct Refused {
    pub column: Option<usize>,
    pub reason: Reason,
}

impl PersonReader {
    pub(crate) fn new(
        columns: Columns,
        keys: TokenKeys,
        looked_up: HashMap<String, MailboxProvider>,
    ) -> Self {
        Self { columns, keys, looked_up, cache: HashMap::new() }
    }

    /// The address of a record and the name that stands beside it in the same cell.
    pub(crate) fn address(
        &self,
        fields: &Fields,
    ) -> Result<(EmailAddress, Option<String>), Refused> {
        let mut column = self.columns.emails[0];
        let mut cell = "";
        for &i in &self.columns.emails {
            let candidate = bare_address(fields.get(i));
            if !candidate.is_empty() {
                (column, cell) = (i, candidate);
                break;
            }
        }
        let refused = |reason| Refused { column: Some(column), reason };
        if cell.is_empty() {
            return Err(refused(Reason::NoAddress));
        }
        if cell.contains('\u{FFFD}') {
            return Err(refused(Reason::Unreadable));
        }
        if cell.ends_with('>') {
            let mailbox = Mailbox::parse(cell).map_err(|e| refused(Reason::Address(e)))?;
            return Ok((mailbox.address, mailbox.name));
        }
        let address = EmailAddress::parse(cell).map_err(|e| refused(Reason::Address(e)))?;
        Ok((address, None))
    }

    /// Reads a record.
    pub(crate) fn read(&mut self, fields: &Fields) -> Result<ImportRow, Refused> {
        let wanted = self.columns.names.len();
        if fields.len() > wanted && fields.iter().skip(wanted).any(|f| !f.trim().is_empty()) {
            let reason = Reason::TooManyFields { has: fields.len(), wanted };
            return Err(Refused { column: None, reason });
        }
        let (address, beside) = self.address(fields)?;
        for &(column, how) in &self.columns.opt_outs {
            if opted_out(how, fields.get(column).trim()) {
                return Err(Refused { column: Some(column), reason: Reason::OptedOut });
            }
        }
        let provider = self.provider(&address);
        Ok(ImportRow {
            hash: self.keys.address_hash(&address),
            provider,
            name: self.name(fields).or(beside),
            attributes: self.attributes(fields),
            address,
        })
    }

    fn provider(&mut self, address: &EmailAddress) -> MailboxProvider {
        let domain = address.domain().as_str();
        if let Some(known) = self.looked_up.get(domain).or_else(|| self.cache.get(domain)) {
            return *known;
        }
        let provider = MailboxProvider::of_domain(address.domain());
        if self.cache.len() >= CACHE_MAX {
            self.cache.clear();
        }
        self.cache.insert(domain.to_owned(), provider);
        provider
    }

    fn name(&self, fields: &Fields) -> Option<String> {
        let given = self.columns.name.map(|i| one_line(fields.get(i))).filter(|n| !n.is_empty());
        given.or_else(|| {
            let mut name = String::new();
            for &i in &self.columns.parts.0 {
                let part = one_line(fields.get(i));
                if !part.is_empty() {
                    if !name.is_empty() {
                        name.push(' ');
                    }
                    name.push_str(&part);
                }
            }
            Some(name).filter(|n| !n.is_empty())
        })
    }

    fn attributes(&self, fields: &Fields) -> String {
        if self.columns.json.iter().any(|&i| fields.get(i).trim_start().starts_with('{')) {
            return self.attributes_with_json(fields);
        }
        let mut json = String::with_capacity(64);
        json.push('{');
        let mut put = |prefix: &str, cell: &str, is_text: bool| {
            let cell = cell.trim();
            if cell.is_empty() {
                return;
            }
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(prefix);
            if is_text { write_text(cell, &mut json) } else { Value::read(cell).write(&mut json) }
        };
        for column in &self.columns.attributes {
            put(&column.prefix, fields.get(column.index), column.is_text);
        }
        for &i in &self.columns.json {
            // Not JSON after all: kept as it is.
            put("\"attributes\":", fields.get(i), true);
        }
        json.push('}');
        json
    }

    /// The rare way: members of a JSON cell beside columns of the same name.
    fn attributes_with_json(&self, fields: &Fields) -> String {
        let mut all = Attributes::new();
        for &i in &self.columns.json {
            let cell = fields.get(i).trim();
            match serde_json::from_str::<Attributes>(cell) {
                Ok(members) => all.extend(members.into_iter().filter(|(_, v)| !v.is_null())),
                Err(_) if cell.is_empty() => {}
                Err(_) => {
                    all.insert("attributes".to_owned(), cell.into());
                }
            }
        }
        for column in &self.columns.attributes {
            let cell = fields.get(column.index).trim();
            if !cell.is_empty() {
                let value = match Value::read(cell) {
                    Value::Integer(n) if !column.is_text => n.into(),
                    Value::Decimal(n) if !column.is_text => n.into(),
                    Value::Truth(b) if !column.is_text => b.into(),
                    Value::Integer(_) | Value::Decimal(_) | Value::Truth(_) | Value::Text(_) => {
                        cell.into()
                    }
                };
                all.insert(column.key.clone(), value);
            }
        }
        serde_json::Value::Object(all).to_string()
    }
}

/// A name on one line without control characters: it ends in a header field.
fn one_line(cell: &str) -> String {
    if cell.chars().any(char::is_control) {
        let words: Vec<&str> = cell.split(|c: char| c.is_control() || c.is_whitespace()).collect();
        words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
    } else {
        cell.trim().to_owned()
    }
}

fn opted_out(how: OptOut, cell: &str) -> bool {
    let is = |word: &str| cell.eq_ignore_ascii_case(word);
    match how {
        OptOut::WhenTrue => ["true", "yes", "1", "y", "x"].into_iter().any(is),
        OptOut::WhenFilled => !cell.is_empty(),
        OptOut::ListmonkStatus => ["blocklisted", "disabled", "unsubscribed"].into_iter().any(is),
        OptOut::OwnState => is("unsubscribed"),
    }
}
