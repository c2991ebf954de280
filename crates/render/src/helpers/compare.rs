//! Comparisons, as values `(eq a b)` and as blocks `{{#eq a b}}..{{else}}..{{/eq}}`.
//!
//! Numbers compare as numbers even when one is text, since CSV columns often are; all else compares as text.

use super::{Args, Fault};
use handlebars::{JsonRender, JsonTruthy};
use serde_json::Value;
use std::cmp::Ordering;

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn order(args: &Args<'_, '_>) -> Result<Ordering, Fault> {
    let (a, b) = (args.value(0)?, args.value(1)?);
    let both_text = a.is_string() && b.is_string();
    if let (Some(x), Some(y), false) = (number(a), number(b), both_text) {
        return x.partial_cmp(&y).ok_or_else(|| Fault::Says("not a number".to_owned()));
    }
    Ok(a.render().cmp(&b.render()))
}

pub(super) fn eq(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok((order(args)? == Ordering::Equal).into())
}

pub(super) fn ne(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok((order(args)? != Ordering::Equal).into())
}

pub(super) fn gt(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(size(args)?.is_gt().into())
}

pub(super) fn gte(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(size(args)?.is_ge().into())
}

pub(super) fn lt(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(size(args)?.is_lt().into())
}

pub(super) fn lte(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok(size(args)?.is_le().into())
}

/// As `order`, but two texts that are both numbers compare as numbers too: "9" is less than "10".
fn size(args: &Args<'_, '_>) -> Result<Ordering, Fault> {
    match (number(args.value(0)?), number(args.value(1)?)) {
        (Some(x), Some(y)) => {
            x.partial_cmp(&y).ok_or_else(|| Fault::Says("not a number".to_owned()))
        }
        (None, _) | (_, None) => order(args),
    }
}

fn truthy(args: &Args<'_, '_>, index: usize) -> bool {
    args.optional(index).is_some_and(|v| v.is_truthy(false))
}

pub(super) fn and(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok((0..args.len()).all(|i| truthy(args, i)).into())
}

pub(super) fn or(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok((0..args.len()).any(|i| truthy(args, i)).into())
}

pub(super) fn not(args: &Args<'_, '_>) -> Result<Value, Fault> {
    Ok((!truthy(args, 0)).into())
}
