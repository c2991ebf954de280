//! Which column is what: the operator's mapping first, then recognised names, then attributes.
//!
//! Decided once, from the header and the first rows, before anything is written. A file whose first row already holds
//! an address has no header: its columns are called `column_1`, ... What must always hold: there is an address column,
//! or an error says which columns there are and what to write; no two columns end in the same attribute.

use crate::headers::{self, Meaning, OptOut, Part};
use crate::mapping::{Mapping, Target, same_name};
use crate::{Error, Result};
use postroad_model::EmailAddress;
use serde::Serialize;
use std::collections::HashSet;

/// Names that templates and filters have for something else.
const RESERVED: &[&str] = &[
    "email",
    "name",
    "address",
    "domain",
    "provider",
    "created_at",
    "contact",
    "campaign",
    "sender",
    "list",
    "unsubscribe_url",
    "view_url",
    "preheader",
    "subject",
    "postal_address",
    "has_web_view",
];

/// What became of a column, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnUse {
    /// The column's name in the file.
    pub column: String,
    /// What it is.
    pub used_as: UsedAs,
}

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsedAs {
    /// The address.
    Email,
    /// The full name.
    Name,
    /// An attribute of this name.
    Attribute(String),
    /// JSON whose members become attributes.
    Attributes,
    /// A mark that the person had left: such rows are refused.
    OptOut,
    /// Nothing.
    Skipped,
}

/// An attribute's column.
#[derive(Debug)]
pub(crate) struct AttributeColumn {
    pub index: usize,
    pub key: String,
    /// The key as JSON with its colon.
    pub prefix: String,
    /// True where numbers are no numbers: telephone numbers, postal codes.
    pub is_text: bool,
}

/// The columns that a full name is put together from, in order.
#[derive(Debug, Default)]
pub(crate) struct NameParts(pub Vec<usize>);

/// What a row is read by.
#[derive(Debug)]
pub(crate) struct Columns {
    pub names: Vec<String>,
    pub has_header: bool,
    pub emails: Vec<usize>,
    pub name: Option<usize>,
    pub parts: NameParts,
    pub attributes: Vec<AttributeColumn>,
    pub json: Vec<usize>,
    pub opt_outs: Vec<(usize, OptOut)>,
    pub uses: Vec<ColumnUse>,
}

/// The address in a cell, as people and exporters write it.
pub(crate) fn bare_address(cell: &str) -> &str {
    let cell =
        cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200B}' | '\u{FEFF}'));
    // Google's older export puts several into one cell.
    let cell = cell.split(" ::: ").next().unwrap_or(cell);
    match cell.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &cell[7..],
        _ => cell,
    }
}

fn is_address(cell: &str) -> bool {
    cell.contains('@') && EmailAddress::parse(bare_address(cell)).is_ok()
}

impl Columns {
    pub(crate) fn plan(file: &str, rows: &[Vec<String>], mapping: &Mapping) -> Result<Self> {
        let first = rows.first().ok_or_else(|| Error::Empty { name: file.to_owned() })?;
        let has_header = !first.iter().any(|cell| is_address(cell));
        let names: Vec<String> = if has_header {
            first.iter().map(|cell| cell.trim().to_owned()).collect()
        } else {
            (1..=first.len()).map(|i| format!("column_{i}")).collect()
        };
        let samples = if has_header { &rows[1..] } else { rows };
        let planner = Planner { names: &names, samples, mapping };
        planner.check_mapping()?;
        let meanings = planner.meanings(has_header);
        if !meanings.contains(&Use::Email) {
            return Err(planner.no_address(file));
        }
        let mut columns = Self {
            has_header,
            emails: Vec::new(),
            name: None,
            parts: NameParts::default(),
            attributes: Vec::new(),
            json: Vec::new(),
            opt_outs: Vec::new(),
            uses: Vec::new(),
            names: names.clone(),
        };
        columns.assign(&meanings);
        columns.parts = planner.name_parts(&meanings);
        Ok(columns)
    }

    fn assign(&mut self, meanings: &[Use]) {
        let mut taken: HashSet<String> = RESERVED.iter().map(|&r| r.to_owned()).collect();
        for (index, meaning) in meanings.iter().enumerate() {
            let used_as = match meaning {
                Use::Email => {
                    self.emails.push(index);
                    UsedAs::Email
                }
                Use::Name if self.name.is_none() => {
                    self.name = Some(index);
                    UsedAs::Name
                }
                Use::Name => {
                    self.attribute(index, &headers::slug(&self.names[index]), true, &mut taken)
                }
                Use::Attribute { key, is_text } => self.attribute(index, key, *is_text, &mut taken),
                Use::Attributes => {
                    self.json.push(index);
                    UsedAs::Attributes
                }
                Use::OptOut(how) => {
                    self.opt_outs.push((index, *how));
                    UsedAs::OptOut
                }
                Use::Skip => UsedAs::Skipped,
            };
            self.uses.push(ColumnUse { column: self.names[index].clone(), used_as });
        }
    }

    fn attribute(
        &mut self,
        index: usize,
        key: &str,
        is_text: bool,
        taken: &mut HashSet<String>,
    ) -> UsedAs {
        let slug = headers::slug(&self.names[index]);
        let mut key = if taken.contains(key) { slug } else { key.to_owned() };
        let stem = key.clone();
        let mut n = 2;
        while !taken.insert(key.clone()) {
            key = format!("{stem}_{n}");
            n += 1;
        }
        let prefix = format!("{}:", serde_json::Value::from(key.as_str()));
        self.attributes.push(AttributeColumn { index, key: key.clone(), prefix, is_text });
        UsedAs::Attribute(key)
    }
}

/// What a column is, before attributes have their final names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Use {
    Email,
    Name,
    Attribute { key: String, is_text: bool },
    Attributes,
    OptOut(OptOut),
    Skip,
}

struct Planner<'a> {
    names: &'a [String],
    samples: &'a [Vec<String>],
    mapping: &'a Mapping,
}

impl Planner<'_> {
    fn check_mapping(&self) -> Result<()> {
        for (column, _) in &self.mapping.columns {
            if !self.names.iter().any(|n| same_name(n, column)) {
                let near =
                    self.nearest(column).map_or(String::new(), |n| format!("; did you mean {n:?}"));
                let why =
                    format!("the file has no such column{near}; its columns are {}", self.shown());
                return Err(Error::Mapping { text: column.clone(), why });
            }
        }
        Ok(())
    }

    fn nearest(&self, name: &str) -> Option<&String> {
        let score = |n: &String| strsim::jaro_winkler(&n.to_lowercase(), &name.to_lowercase());
        self.names.iter().max_by(|a, b| score(a).total_cmp(&score(b))).filter(|n| score(n) > 0.8)
    }

    fn shown(&self) -> String {
        let shown: Vec<&str> = self.names.iter().take(30).map(String::as_str).collect();
        shown.join(", ").chars().take(600).collect()
    }

    /// How many of the first rows have an address in this column.
    fn addresses(&self, index: usize) -> usize {
        self.samples.iter().filter(|r| r.get(index).is_some_and(|cell| is_address(cell))).count()
    }

    fn meanings(&self, has_header: bool) -> Vec<Use> {
        let mapped: Vec<Option<&Target>> = self
            .names
            .iter()
            .map(|n| self.mapping.columns.iter().find(|(c, _)| same_name(c, n)).map(|(_, t)| t))
            .collect();
        let email_mapped = mapped.contains(&Some(&Target::Email));
        let name_mapped = mapped.contains(&Some(&Target::Name));
        let slugs: Vec<String> = self.names.iter().map(|n| headers::slug(n)).collect();
        let known: Vec<Option<Meaning>> = slugs.iter().map(|s| headers::meaning(s)).collect();
        let plain_email = known.contains(&Some(Meaning::Email));
        let bare = (0..self.names.len()).find(|&i| !has_header && self.addresses(i) > 0);
        // A file of refused rows that somebody has corrected.
        let rejects = slugs.len() > 3 && slugs[..3] == ["line", "column", "reason"];
        (0..self.names.len())
            .map(|i| {
                let attribute = |is_text| Use::Attribute { key: slugs[i].clone(), is_text };
                match mapped[i] {
                    Some(Target::Email) => return Use::Email,
                    Some(Target::Name) => return Use::Name,
                    Some(Target::Skip) => return Use::Skip,
                    Some(Target::Attribute) => return attribute(false),
                    Some(Target::Named(key)) => {
                        return Use::Attribute { key: key.clone(), is_text: false };
                    }
                    None => {}
                }
                if rejects && i < 3 {
                    return Use::Skip;
                }
                if bare == Some(i) && !email_mapped {
                    return Use::Email;
                }
                let rest = match self.mapping.rest {
                    Some(Target::Skip) => Use::Skip,
                    Some(Target::Attribute | Target::Email | Target::Name | Target::Named(_))
                    | None => attribute(false),
                };
                match known[i] {
                    Some(Meaning::Email) if !email_mapped => Use::Email,
                    Some(Meaning::PerhapsEmail)
                        if !email_mapped
                            && !plain_email
                            && self.addresses(i) * 2 > self.samples.len() =>
                    {
                        Use::Email
                    }
                    Some(Meaning::Name) if !name_mapped => Use::Name,
                    Some(Meaning::OptOut(how)) if self.heeds(how, &slugs) => Use::OptOut(how),
                    Some(_) if rest == Use::Skip => Use::Skip,
                    Some(Meaning::Text(key)) => Use::Attribute { key: key.into(), is_text: true },
                    Some(Meaning::Part(part)) => {
                        Use::Attribute { key: part.key().into(), is_text: true }
                    }
                    Some(Meaning::Attributes) => Use::Attributes,
                    Some(
                        Meaning::Email | Meaning::PerhapsEmail | Meaning::Name | Meaning::OptOut(_),
                    )
                    | None => rest,
                }
            })
            .collect()
    }

    /// Marks whose names are common words count only beside what their exporter also writes.
    fn heeds(&self, how: OptOut, slugs: &[String]) -> bool {
        let has = |name: &str| slugs.iter().any(|s| s == name);
        match how {
            OptOut::WhenTrue | OptOut::WhenFilled => true,
            OptOut::ListmonkStatus => has("uuid"),
            OptOut::OwnState => has("since") && has("suppressed"),
        }
    }

    fn name_parts(&self, meanings: &[Use]) -> NameParts {
        let slugs: Vec<String> = self.names.iter().map(|n| headers::slug(n)).collect();
        let part = |wanted: Part| {
            (0..slugs.len()).find(|&i| {
                headers::meaning(&slugs[i]) == Some(Meaning::Part(wanted))
                    && matches!(&meanings[i], Use::Attribute { key, .. } if key == wanted.key())
            })
        };
        let (first, middle, last) = (part(Part::First), part(Part::Middle), part(Part::Last));
        let vietnamese = last.is_some_and(|i| headers::family_name_first(&slugs[i]));
        let order = if vietnamese { [last, middle, first] } else { [first, middle, last] };
        NameParts(order.into_iter().flatten().collect())
    }

    fn no_address(&self, file: &str) -> Error {
        let by_content = (0..self.names.len())
            .filter(|&i| self.addresses(i) > 0)
            .max_by_key(|&i| self.addresses(i));
        let hint = match by_content.map(|i| &self.names[i]).or_else(|| self.nearest("email")) {
            Some(name) => format!("if the addresses stand in {name:?}, say so: --map \"{name}=email\""),
            None => "say which one it is: --map \"COLUMN=email\" (or is the delimiter another one? --delimiter)".into(),
        };
        Error::NoAddressColumn { name: file.to_owned(), columns: self.shown(), hint }
    }
}

impl Part {
    fn key(self) -> &'static str {
        match self {
            Self::First => "first_name",
            Self::Middle => "middle_name",
            Self::Last => "last_name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rows: &[&str], map: &str) -> Result<Columns> {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|r| r.split(',').map(str::to_owned).collect()).collect();
        Columns::plan("people.csv", &rows, &map.parse().unwrap())
    }

    fn check(rows: &[&str], map: &str, expected: &[&str]) {
        let columns = plan(rows, map).unwrap();
        let uses: Vec<String> = columns
            .uses
            .iter()
            .map(|u| match &u.used_as {
                UsedAs::Email => "email".to_owned(),
                UsedAs::Name => "name".to_owned(),
                UsedAs::Attribute(key) => format!("+{key}"),
                UsedAs::Attributes => "{}".to_owned(),
                UsedAs::OptOut => "out".to_owned(),
                UsedAs::Skipped => "-".to_owned(),
            })
            .collect();
        assert_eq!(uses, expected, "{rows:?}");
    }

    #[test]
    fn recognised_names_have_their_meaning_and_the_rest_are_attributes() {
        check(&["Email Address,First Name,Plan"], "", &["email", "+first_name", "+plan"]);
        check(&["Họ và tên,Địa chỉ email,Thành phố"], "", &["name", "email", "+city"]);
        check(&["name,email,Name"], "", &["name", "email", "+name_2"]);
        check(
            &["email,Phone,Mobile Phone,phone"],
            "",
            &["email", "+phone", "+mobile_phone", "+phone_2"],
        );
        check(&["uuid,email,status"], "", &["+uuid", "email", "out"]);
        check(&["email,status,subscription"], "", &["email", "+status", "+subscription"]);
    }

    #[test]
    fn the_operators_mapping_wins() {
        check(&["Mail,Email,Stadt"], "Mail=email,Stadt=city", &["email", "+email_2", "+city"]);
        check(&["email,name,plan,phone"], "*=skip", &["email", "name", "-", "-"]);
        check(&["email,name,plan"], "plan=skip,name=attr", &["email", "+name_2", "-"]);
    }

    #[test]
    fn a_word_that_means_other_things_too_is_an_address_where_addresses_stand() {
        check(&["Address,City", "a@b.vn,Huế"], "", &["email", "+city"]);
        check(&["Email,Address", "a@b.vn,1 Lê Lợi"], "", &["email", "+address_2"]);
        assert!(matches!(plan(&["Address", "1 Lê Lợi"], ""), Err(Error::NoAddressColumn { .. })));
    }

    #[test]
    fn a_file_without_header_is_read_by_its_addresses() {
        check(&["a@b.vn"], "", &["email"]);
        check(&["Anna,a@b.vn,7"], "", &["+column_1", "email", "+column_3"]);
    }

    #[test]
    fn a_missing_address_column_is_said_with_the_way_out() {
        let check = |rows: &[&str], hint: &str| match plan(rows, "") {
            Err(e @ Error::NoAddressColumn { .. }) => assert!(e.to_string().contains(hint), "{e}"),
            other => panic!("{other:?}"),
        };
        check(&["Kontakt,Name"], "say which one it is");
        check(&["Kontakt,Name", "a@b.vn,Anna"], "");
        check(&["E-Mai,Name"], "--map \"E-Mai=email\"");
        assert!(
            matches!(plan(&["email"], "emial=email"), Err(Error::Mapping { why, .. }) if why.contains("did you mean \"email\""))
        );
    }
}
