//! `--map "Mail=email,Stadt=city,*=skip"`: the operator's word on what a column is.
//!
//! Left a column's name as the file has it (case and blanks around it do not matter; quoted where it holds a comma or
//! an equals sign), right what it is: `email`, `name`, `first_name`, `last_name`, `attr` (an attribute named after the
//! column), `skip`, or an attribute's name. `*` is every column not named. It knows no file: `columns` applies it.

use crate::{Error, Result};
use std::str::FromStr;

/// What one column is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Email,
    Name,
    Attribute,
    Skip,
    Named(String),
}

/// The parsed option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    pub(crate) columns: Vec<(String, Target)>,
    /// What `*` says; absent: recognised names, and attributes.
    pub(crate) rest: Option<Target>,
}

/// The form in which column names are compared.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

impl FromStr for Mapping {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut mapping = Self::default();
        for part in split(text, ',') {
            if part.trim().is_empty() {
                continue;
            }
            let wrong =
                |why: &str| Error::Mapping { text: part.trim().to_owned(), why: why.to_owned() };
            let sides = split(part, '=');
            let [column, target] = sides.as_slice() else {
                return Err(wrong(
                    "write COLUMN=email, COLUMN=name, COLUMN=attr, COLUMN=skip or COLUMN=attribute_name",
                ));
            };
            let (column, target) = (unquoted(column), read_target(&unquoted(target)));
            let target = target.ok_or_else(|| {
                wrong("an attribute's name has letters, digits and _, and begins with a letter")
            })?;
            if column == "*" {
                if matches!(target, Target::Email | Target::Name | Target::Named(_)) {
                    return Err(wrong("* can only be attr or skip"));
                }
                mapping.rest = Some(target);
            } else if mapping.columns.iter().any(|(c, _)| same_name(c, &column)) {
                return Err(wrong("this column is named twice"));
            } else {
                mapping.columns.push((column, target));
            }
        }
        Ok(mapping)
    }
}

fn read_target(text: &str) -> Option<Target> {
    Some(match text.to_ascii_lowercase().as_str() {
        "email" | "address" => Target::Email,
        "name" => Target::Name,
        "attr" | "attribute" => Target::Attribute,
        "skip" | "ignore" | "-" => Target::Skip,
        _ => {
            let name = text.strip_prefix("attr:").unwrap_or(text);
            let first = name.chars().next()?;
            let ok = first.is_alphabetic() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            return ok.then(|| Target::Named(name.to_owned()));
        }
    })
}

/// Splits outside of quotation marks.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == at && !quoted
    })
    .collect()
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_the_rest_are_read() {
        let mapping: Mapping =
            "Mail=email, \"Last, first\"=name,Stadt=city,Intern=skip,*=attr".parse().unwrap();
        assert_eq!(mapping.rest, Some(Target::Attribute));
        let expected = [
            ("Mail", Target::Email),
            ("Last, first", Target::Name),
            ("Stadt", Target::Named("city".into())),
            ("Intern", Target::Skip),
        ];
        assert_eq!(mapping.columns, expected.map(|(c, t)| (c.to_owned(), t)));
        assert_eq!("".parse::<Mapping>().unwrap(), Mapping::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_part_that_is_wrong() {
        let check = |text: &str, part: &str| match text.parse::<Mapping>() {
            Err(Error::Mapping { text, .. }) => assert_eq!(text, part),
            other => panic!("{text}: {other:?}"),
        };
        check("Mail", "Mail");
        check("Mail=email=x", "Mail=email=x");
        check("A=b c", "A=b c");
        check("*=email", "*=email");
        check("A=email,a=name", "a=name");
    }
}
