//! From the text of a filter, written like a SQL WHERE, to model's typed filter.
//!
//! sqlparser reads the text (its generic dialect); this module keeps the few constructs that a filter may have and
//! refuses the rest with what is allowed. Every fault names its column. Nothing is ever sent to a database.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlparser has a hundred constructs, all the others are refused"
)]

use postroad_model::filter::{
    Case, Comparison, Field, Filter, Literal, Operand, Pattern, Sense, Truth,
};
use postroad_model::when::{Zone, parse_when};
use sqlparser::ast::{BinaryOperator, Expr, Ident, Spanned, UnaryOperator, Value, ValueWithSpan};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token};

/// Longest text of a filter, in characters.
pub const MAX_FILTER: usize = 4_000;

const ALLOWED: &str = "comparisons (= <> < <= > >=), IN, LIKE, ILIKE, BETWEEN, IS NULL, IS TRUE, AND, OR, NOT, \
    over email, domain, provider, name, created_at and attributes";

/// A fault of a filter and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// Column in characters, from 1; on a later line of the text, counted from its beginning.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

struct Reader<'a> {
    text: &'a str,
    zone: &'a Zone,
}

/// Reads a filter. Dates that are compared with `created_at` are read in `zone`.
///
/// # Errors
/// The first fault, with its column.
pub fn parse(text: &str, zone: &Zone) -> Result<Filter, FilterError> {
    let reader = Reader { text, zone };
    if text.trim().is_empty() {
        return Err(FilterError { column: 1, message: "the filter is empty; leave it out".into() });
    }
    if text.chars().count() > MAX_FILTER {
        let message = format!("the filter has more than {MAX_FILTER} characters");
        return Err(FilterError { column: MAX_FILTER, message });
    }
    let dialect = GenericDialect {};
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(60)
        .try_with_sql(text)
        .map_err(|e| reader.syntax(&e))?;
    let expr = parser.parse_expr().map_err(|e| reader.syntax(&e))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let what = format!("{} does not belong there; join conditions with AND or OR", rest.token);
        return Err(reader.fault(rest.span.start, what));
    }
    reader.condition(&expr)
}

type Read<T> = Result<T, FilterError>;

impl Reader<'_> {
    fn fault(&self, at: Location, message: impl Into<String>) -> FilterError {
        let before: usize = (self.text.lines())
            .take(usize::try_from(at.line.saturating_sub(1)).unwrap_or(0))
            .map(|l| l.chars().count() + 1)
            .sum();
        let column = usize::try_from(at.column).unwrap_or(1);
        FilterError { column: (before + column).max(1), message: message.into() }
    }

    fn at(&self, expr: &Expr, message: impl Into<String>) -> FilterError {
        self.fault(expr.span().start, message)
    }

    fn syntax(&self, error: &ParserError) -> FilterError {
        let text = match error {
            ParserError::TokenizerError(t) | ParserError::ParserError(t) => t.as_str(),
            ParserError::RecursionLimitExceeded => "too many brackets inside each other",
        };
        let (message, place) = text.split_once(" at Line: ").unwrap_or((text, ""));
        let mut numbers = place.split(", Column: ").map(|n| n.trim().parse::<u64>().ok());
        let line = numbers.next().flatten().unwrap_or(1);
        let end = self.text.chars().count() as u64;
        let column = numbers.next().flatten().unwrap_or(end);
        let message = message.replace("an expression", "a condition").replace("EOF", "the end");
        self.fault(Location::new(line, column), message)
    }

    fn condition(&self, expr: &Expr) -> Read<Filter> {
        match expr {
            Expr::Nested(inner) => self.condition(inner),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                Ok(Filter::And(self.chain(expr, &BinaryOperator::And)?))
            }
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                Ok(Filter::Or(self.chain(expr, &BinaryOperator::Or)?))
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                Ok(Filter::Not(Box::new(self.condition(expr)?)))
            }
            Expr::BinaryOp { left, op, right } => {
                let comparison = comparison(op).ok_or_else(|| {
                    self.at(expr, format!("{op} is not allowed in a filter; allowed are {ALLOWED}"))
                })?;
                let (left, right) = self.pair(left, right)?;
                Ok(Filter::Compare(left, comparison, right))
            }
            Expr::InList { expr, list, negated } => {
                let value = self.operand(expr)?;
                let list: Read<Vec<_>> = list.iter().map(|item| self.timed(item, &value)).collect();
                Ok(Filter::In(value, list?, sense(*negated)))
            }
            Expr::Between { expr, negated, low, high } => {
                let value = self.operand(expr)?;
                let (low, high) = (self.timed(low, &value)?, self.timed(high, &value)?);
                Ok(Filter::Between(value, low, high, sense(*negated)))
            }
            Expr::Like { .. } | Expr::ILike { .. } => self.like(expr),
            Expr::IsNull(e) => Ok(Filter::IsNull(self.operand(e)?, Sense::Plain)),
            Expr::IsNotNull(e) => Ok(Filter::IsNull(self.operand(e)?, Sense::Negated)),
            Expr::IsTrue(e) => self.is(e, Truth::True, Sense::Plain),
            Expr::IsNotTrue(e) => self.is(e, Truth::True, Sense::Negated),
            Expr::IsFalse(e) => self.is(e, Truth::False, Sense::Plain),
            Expr::IsNotFalse(e) => self.is(e, Truth::False, Sense::Negated),
            Expr::IsUnknown(e) => self.is(e, Truth::Unknown, Sense::Plain),
            Expr::IsNotUnknown(e) => self.is(e, Truth::Unknown, Sense::Negated),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => {
                Ok(Filter::Holds(self.operand(expr)?))
            }
            other => Err(self.not_allowed(other)),
        }
    }

    fn is(&self, expr: &Expr, truth: Truth, sense: Sense) -> Read<Filter> {
        Ok(Filter::Is(Box::new(self.condition(expr)?), truth, sense))
    }

    /// `a AND b AND c` hangs to the left as deep as it is long: taken apart in a loop.
    fn chain(&self, expr: &Expr, joint: &BinaryOperator) -> Read<Vec<Filter>> {
        let mut parts = Vec::new();
        let mut rest = expr;
        while let Expr::BinaryOp { left, op, right } = rest
            && op == joint
        {
            parts.push(self.condition(right)?);
            rest = left;
        }
        parts.push(self.condition(rest)?);
        parts.reverse();
        Ok(parts)
    }

    fn like(&self, like: &Expr) -> Read<Filter> {
        let (expr, pattern, escape, case, negated, any) = match like {
            Expr::Like { negated, any, expr, pattern, escape_char } => {
                (expr, pattern, escape_char, Case::Exact, *negated, *any)
            }
            Expr::ILike { negated, any, expr, pattern, escape_char } => {
                (expr, pattern, escape_char, Case::Ignored, *negated, *any)
            }
            other => return Err(self.not_allowed(other)),
        };
        if any {
            return Err(self.at(like, "LIKE ANY is not allowed; join several LIKE with OR"));
        }
        let text = |e: &Expr, what: &str| match self.operand(e)? {
            Operand::Literal(Literal::Text(t)) => Ok(t),
            Operand::Literal(_) | Operand::Field(_) => {
                Err(self.at(e, format!("{what} must be a text in single quotes, e.g. 'Ha%'")))
            }
        };
        let escape = match escape {
            None => Some('\\'),
            Some(e) => {
                let t = text(e, "the escape character")?;
                let mut chars = t.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Some(c),
                    (_, _) => return Err(self.at(e, "ESCAPE takes exactly one character")),
                }
            }
        };
        let pattern = Pattern::new(&text(pattern, "the pattern")?, escape, case);
        Ok(Filter::Like(self.operand(expr)?, pattern, sense(negated)))
    }

    /// Both sides of a comparison; a text beside `created_at` is a date.
    fn pair(&self, left: &Expr, right: &Expr) -> Read<(Operand, Operand)> {
        let a = self.operand(left)?;
        if a == Operand::Field(Field::CreatedAt) {
            let b = self.timed(right, &a)?;
            return Ok((a, b));
        }
        let b = self.operand(right)?;
        if b == Operand::Field(Field::CreatedAt) {
            return Ok((self.timed(left, &b)?, b));
        }
        Ok((a, b))
    }

    fn timed(&self, expr: &Expr, beside: &Operand) -> Read<Operand> {
        let operand = self.operand(expr)?;
        if *beside != Operand::Field(Field::CreatedAt) {
            return Ok(operand);
        }
        let Operand::Literal(Literal::Text(text)) = &operand else { return Ok(operand) };
        let text = if text.len() == 10 { format!("{text} 00:00") } else { text.clone() };
        let when = parse_when(&text, Some(self.zone)).map_err(|e| {
            self.at(expr, format!("created_at is compared with a date like '2026-12-01': {e}"))
        })?;
        Ok(Operand::Literal(Literal::Time(when.at)))
    }

    fn operand(&self, expr: &Expr) -> Read<Operand> {
        match expr {
            Expr::Nested(inner) => self.operand(inner),
            Expr::Identifier(ident) => Ok(Operand::Field(field(ident))),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] if is_attributes(table) => {
                    Ok(Operand::Field(Field::Attribute(name.value.clone())))
                }
                _ => Err(self.at(
                    expr,
                    "write an attribute as its name, as attributes.name, or in double quotes",
                )),
            },
            Expr::Value(value) => self.literal(value).map(Operand::Literal),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => match self.operand(inner)? {
                Operand::Literal(Literal::Int(n)) => Ok(Operand::Literal(Literal::Int(-n))),
                Operand::Literal(Literal::Float(n)) => Ok(Operand::Literal(Literal::Float(-n))),
                Operand::Literal(_) | Operand::Field(_) => {
                    Err(self.at(expr, "a minus may stand before a number only"))
                }
            },
            other => Err(self.not_allowed(other)),
        }
    }

    fn literal(&self, value: &ValueWithSpan) -> Read<Literal> {
        match &value.value {
            Value::Number(digits, _) => match (digits.parse::<i64>(), digits.parse::<f64>()) {
                (Ok(n), _) => Ok(Literal::Int(n)),
                (Err(_), Ok(n)) if n.is_finite() => Ok(Literal::Float(n)),
                (Err(_), _) => {
                    Err(self.fault(value.span.start, format!("{digits} is no number that fits")))
                }
            },
            Value::SingleQuotedString(text) => Ok(Literal::Text(text.clone())),
            Value::Boolean(b) => Ok(Literal::Bool(*b)),
            Value::Null => Ok(Literal::Null),
            other => Err(self.fault(
                value.span.start,
                format!("{other} is not allowed; write texts in single quotes"),
            )),
        }
    }

    fn not_allowed(&self, expr: &Expr) -> FilterError {
        let span: Span = expr.span();
        let what: String = expr.to_string().chars().take(40).collect();
        self.fault(span.start, format!("{what} is not allowed in a filter; allowed are {ALLOWED}"))
    }
}

fn sense(negated: bool) -> Sense {
    if negated { Sense::Negated } else { Sense::Plain }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    let pairs = [
        (BinaryOperator::Eq, Comparison::Eq),
        (BinaryOperator::NotEq, Comparison::Ne),
        (BinaryOperator::Lt, Comparison::Lt),
        (BinaryOperator::LtEq, Comparison::Le),
        (BinaryOperator::Gt, Comparison::Gt),
        (BinaryOperator::GtEq, Comparison::Ge),
    ];
    pairs.into_iter().find(|(sql, _)| sql == op).map(|(_, ours)| ours)
}

fn is_attributes(ident: &Ident) -> bool {
    ["attributes", "attribute", "attr"].iter().any(|n| ident.value.eq_ignore_ascii_case(n))
}

/// Fields of the contact stand bare; in quotes a name is always an attribute's.
fn field(ident: &Ident) -> Field {
    if ident.quote_style.is_some() {
        return Field::Attribute(ident.value.clone());
    }
    match ident.value.to_ascii_lowercase().as_str() {
        "email" | "address" => Field::Address,
        "domain" => Field::Domain,
        "provider" => Field::Provider,
        "name" => Field::Name,
        "created_at" => Field::CreatedAt,
        _ => Field::Attribute(ident.value.clone()),
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
