//! A campaign's filter: a typed condition on a contact, evaluated in Rust while the audience streams.
//!
//! `campaign` parses the text into it (`campaign::filter`), the freeze and `check` evaluate it. Because no engine's
//! SQL takes part, SQLite and PostgreSQL give the same people, and everyone left out has a reason. What must hold:
//! evaluation never panics and follows SQL's three-valued logic: a missing attribute is NULL, a comparison with
//! NULL is unknown, and only what is true is kept. It deliberately knows no functions and no arithmetic.

#[path = "filter_pattern.rs"]
mod pattern;

pub use pattern::{Case, Pattern};

use crate::{EmailAddress, MailboxProvider, Timestamp};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// The answer of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// A NULL took part.
    Unknown,
}

impl Truth {
    /// From a plain answer.
    #[must_use]
    pub const fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// SQL's NOT.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// SQL's AND.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }

    /// SQL's OR.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    const fn negated_if(self, sense: Sense) -> Self {
        match sense {
            Sense::Plain => self,
            Sense::Negated => self.negated(),
        }
    }
}

/// What a filter may ask of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The whole address; compared in lower case.
    Address,
    /// What follows the `@`, in A-label form; compared in lower case.
    Domain,
    /// Who hosts the mailbox: `google`, `microsoft`, ...
    Provider,
    /// Full name.
    Name,
    /// When the contact was made.
    CreatedAt,
    /// An attribute.
    Attribute(String),
}

/// A value that stands in the filter's text.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
    /// A point in time, for `created_at`.
    Time(Timestamp),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Read from the contact.
    Field(Field),
    /// As written.
    Literal(Literal),
}

/// `=`, `<>`, `<`, `<=`, `>`, `>=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// Whether `NOT` stands before IN, LIKE, BETWEEN, NULL, TRUE or FALSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sense {
    /// Without it.
    Plain,
    /// With it.
    Negated,
}

/// A condition on a contact.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// An operand that is itself true or false.
    Holds(Operand),
    /// A comparison.
    Compare(Operand, Comparison, Operand),
    /// `x IN (a, b)`.
    In(Operand, Vec<Operand>, Sense),
    /// `x LIKE pattern`.
    Like(Operand, Pattern, Sense),
    /// `x BETWEEN low AND high`.
    Between(Operand, Operand, Operand, Sense),
    /// `x IS NULL`.
    IsNull(Operand, Sense),
    /// `condition IS TRUE`, `IS FALSE`, `IS UNKNOWN`.
    Is(Box<Filter>, Truth, Sense),
    /// `NOT condition`.
    Not(Box<Filter>),
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
}

/// A contact as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The address.
    pub address: &'a EmailAddress,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// Full name.
    pub name: Option<&'a str>,
    /// Attributes by name.
    pub attributes: &'a Map<String, Value>,
    /// When the contact was made.
    pub created_at: Timestamp,
}

/// A value at hand.
#[derive(Clone, Debug)]
enum Datum<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Time(Timestamp),
}

impl Filter {
    /// What it says of a contact; only `True` keeps it.
    #[must_use]
    pub fn eval(&self, subject: &Subject<'_>) -> Truth {
        match self {
            Self::Holds(operand) => holds(&operand.of(subject)),
            Self::Compare(left, op, right) => compare(left, *op, right, subject),
            Self::In(value, list, sense) => list
                .iter()
                .map(|item| compare(value, Comparison::Eq, item, subject))
                .fold(Truth::False, Truth::or)
                .negated_if(*sense),
            Self::Like(value, pattern, sense) => {
                let truth = match value.of(subject).text() {
                    Some(text) => Truth::of(pattern.matches(&text)),
                    None => Truth::Unknown,
                };
                truth.negated_if(*sense)
            }
            Self::Between(value, low, high, sense) => compare(value, Comparison::Ge, low, subject)
                .and(compare(value, Comparison::Le, high, subject))
                .negated_if(*sense),
            Self::IsNull(value, sense) => {
                Truth::of(matches!(value.of(subject), Datum::Null)).negated_if(*sense)
            }
            Self::Is(inner, truth, sense) => {
                Truth::of(inner.eval(subject) == *truth).negated_if(*sense)
            }
            Self::Not(inner) => inner.eval(subject).negated(),
            Self::And(parts) => parts.iter().map(|p| p.eval(subject)).fold(Truth::True, Truth::and),
            Self::Or(parts) => parts.iter().map(|p| p.eval(subject)).fold(Truth::False, Truth::or),
        }
    }

    /// The names of the attributes that it reads, each once, so that a misspelt one can be told.
    #[must_use]
    pub fn attributes(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.visit(&mut |operand| {
            if let Operand::Field(Field::Attribute(name)) = operand
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        });
        names
    }

    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Operand)) {
        match self {
            Self::Holds(a) | Self::Like(a, ..) | Self::IsNull(a, _) => see(a),
            Self::Compare(a, _, b) => [a, b].into_iter().for_each(see),
            Self::In(a, list, _) => std::iter::once(a).chain(list).for_each(see),
            Self::Between(a, b, c, _) => [a, b, c].into_iter().for_each(see),
            Self::Is(inner, ..) | Self::Not(inner) => inner.visit(see),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| p.visit(see)),
        }
    }
}

impl Operand {
    fn of<'a>(&'a self, subject: &Subject<'a>) -> Datum<'a> {
        match self {
            Self::Literal(literal) => match literal {
                Literal::Null => Datum::Null,
                Literal::Bool(b) => Datum::Bool(*b),
                Literal::Int(n) => Datum::Int(*n),
                Literal::Float(n) => Datum::Float(*n),
                Literal::Text(t) => Datum::Text(Cow::Borrowed(t)),
                Literal::Time(t) => Datum::Time(*t),
            },
            Self::Field(field) => match field {
                Field::Address => Datum::Text(Cow::Owned(subject.address.key())),
                Field::Domain => Datum::Text(Cow::Borrowed(subject.address.domain().as_str())),
                Field::Provider => Datum::Text(Cow::Borrowed(subject.provider.as_str())),
                Field::Name => subject.name.map_or(Datum::Null, |n| Datum::Text(Cow::Borrowed(n))),
                Field::CreatedAt => Datum::Time(subject.created_at),
                Field::Attribute(name) => subject.attributes.get(name).map_or(Datum::Null, of_json),
            },
        }
    }

    /// True for the fields that are compared in lower case, as addresses are.
    fn folds(&self) -> bool {
        match self {
            Self::Field(Field::Address | Field::Domain | Field::Provider) => true,
            Self::Field(Field::Name | Field::CreatedAt | Field::Attribute(_)) => false,
            Self::Literal(_) => false,
        }
    }
}

fn of_json(value: &Value) -> Datum<'_> {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(b) => Datum::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Datum::Int(n),
            (None, Some(n)) => Datum::Float(n),
            (None, None) => Datum::Null,
        },
        Value::String(t) => Datum::Text(Cow::Borrowed(t)),
        Value::Array(_) | Value::Object(_) => Datum::Text(Cow::Owned(value.to_string())),
    }
}

impl Datum<'_> {
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Bool(b) => Some(Cow::Borrowed(if *b { "true" } else { "false" })),
            Self::Int(n) => Some(Cow::Owned(n.to_string())),
            Self::Float(n) => Some(Cow::Owned(n.to_string())),
            Self::Text(t) => Some(Cow::Borrowed(t)),
            Self::Time(t) => Some(Cow::Owned(t.rfc3339())),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "two whole numbers are compared exactly before"
            )]
            Self::Int(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            Self::Text(t) => t.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Null | Self::Time(_) => None,
        }
    }
}

fn holds(datum: &Datum<'_>) -> Truth {
    match datum {
        Datum::Null => Truth::Unknown,
        Datum::Bool(b) => Truth::of(*b),
        Datum::Int(n) => Truth::of(*n != 0),
        Datum::Float(n) => Truth::of(*n != 0.0),
        Datum::Text(t) => match t.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" => Truth::True,
            "false" | "no" | "0" | "" => Truth::False,
            _ => Truth::Unknown,
        },
        Datum::Time(_) => Truth::Unknown,
    }
}

fn compare(left: &Operand, op: Comparison, right: &Operand, subject: &Subject<'_>) -> Truth {
    let (mut a, mut b) = (left.of(subject), right.of(subject));
    if matches!(a, Datum::Null) || matches!(b, Datum::Null) {
        return Truth::Unknown;
    }
    if left.folds() || right.folds() {
        for side in [&mut a, &mut b] {
            if let Datum::Text(t) = side {
                *t = Cow::Owned(t.to_lowercase());
            }
        }
    }
    match (order(&a, &b), op) {
        (Some(o), Comparison::Eq) => Truth::of(o == Ordering::Equal),
        (Some(o), Comparison::Ne) => Truth::of(o != Ordering::Equal),
        (Some(o), Comparison::Lt) => Truth::of(o == Ordering::Less),
        (Some(o), Comparison::Le) => Truth::of(o != Ordering::Greater),
        (Some(o), Comparison::Gt) => Truth::of(o == Ordering::Greater),
        (Some(o), Comparison::Ge) => Truth::of(o != Ordering::Less),
        // Kinds that cannot be compared are different, and neither is the greater.
        (None, Comparison::Eq) => Truth::False,
        (None, Comparison::Ne) => Truth::True,
        (None, Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge) => Truth::Unknown,
    }
}

/// `None` when the kinds cannot be compared.
fn order(a: &Datum<'_>, b: &Datum<'_>) -> Option<Ordering> {
    match (a, b) {
        (Datum::Null, _) | (_, Datum::Null) => None,
        (Datum::Int(x), Datum::Int(y)) => Some(x.cmp(y)),
        (Datum::Text(x), Datum::Text(y)) => Some(x.cmp(y)),
        (Datum::Time(x), Datum::Time(y)) => Some(x.cmp(y)),
        (Datum::Time(x), Datum::Text(t)) => Some(x.rfc3339().as_str().cmp(t)),
        (Datum::Text(t), Datum::Time(x)) => Some(t.as_ref().cmp(x.rfc3339().as_str())),
        (Datum::Bool(x), Datum::Text(t)) | (Datum::Text(t), Datum::Bool(x)) => {
            let same = match t.trim().to_lowercase().as_str() {
                "true" => *x,
                "false" => !*x,
                _ => return None,
            };
            same.then_some(Ordering::Equal)
        }
        (Datum::Time(_), _) | (_, Datum::Time(_)) => None,
        (Datum::Bool(_) | Datum::Int(_) | Datum::Float(_) | Datum::Text(_), _) => {
            a.number()?.partial_cmp(&b.number()?)
        }
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
