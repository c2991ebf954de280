//! The helpers that templates may call, beside Handlebars' own `if`, `unless`, `each`, `with`, `lookup` and `len`.
//!
//! Each is a pure function from its arguments to a value. A variable without a value is an error in all of them but
//! `default`, `and`, `or` and `not`, which are made for that. The facts of the message (links, preheader, locale,
//! zone, date) lie in the context under a key that no template can write by accident ([`FACTS`]).

mod compare;
mod date;
mod number;
mod words;

use crate::facts::Locale;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender, JsonTruthy, Output,
    RenderContext, RenderError, RenderErrorReason, Renderable, ScopedJson,
};
use serde_json::Value;

pub(crate) use words::percent_encode;

/// Root key of the message's facts.
pub(crate) const FACTS: &str = " facts";
/// Fields of the facts.
pub(crate) const UNSUBSCRIBE: &str = "unsubscribe_url";
pub(crate) const VIEW: &str = "view_url";
pub(crate) const PREHEADER: &str = "preheader";
pub(crate) const LOCALE: &str = "locale";
pub(crate) const ZONE: &str = "zone";
pub(crate) const DATE: &str = "date";

type Function = fn(&Args<'_, '_>) -> Result<Value, Fault>;

const TABLE: [(&str, Function); 31] = [
    ("default", words::default),
    ("upper", words::upper),
    ("lower", words::lower),
    ("capitalise", words::capitalise),
    ("capitalize", words::capitalise),
    ("title", words::title),
    ("truncate", words::truncate),
    ("urlencode", words::urlencode),
    ("plural", words::plural),
    ("json", words::json),
    ("strip_tags", words::strip_tags),
    ("safe_url", words::safe_url),
    ("unsubscribe_url", words::unsubscribe_url),
    ("view_url", words::view_url),
    ("preheader", words::preheader),
    ("date", date::date),
    ("number", number::number),
    ("money", number::money),
    ("percent", number::percent),
    ("eq", compare::eq),
    ("ne", compare::ne),
    ("gt", compare::gt),
    ("gte", compare::gte),
    ("lt", compare::lt),
    ("lte", compare::lte),
    ("ifEquals", compare::eq),
    ("if_equals", compare::eq),
    ("and", compare::and),
    ("or", compare::or),
    ("not", compare::not),
    ("join", words::join),
];

/// Names for messages; aliases left out.
pub(crate) const NAMES: [&str; 34] = [
    "if",
    "unless",
    "each",
    "with",
    "lookup",
    "len",
    "default",
    "upper",
    "lower",
    "capitalise",
    "title",
    "truncate",
    "urlencode",
    "plural",
    "json",
    "strip_tags",
    "join",
    "unsubscribe_url",
    "view_url",
    "preheader",
    "date",
    "number",
    "money",
    "percent",
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "ifEquals",
    "and",
    "or",
    "not",
];

/// Helpers without arguments. The name of any other helper, alone in braces, is a variable: `{{date}}`, `{{title}}` and
/// `{{number}}` are common columns.
const ALONE: [&str; 3] = [UNSUBSCRIBE, VIEW, PREHEADER];

/// True when the name alone in braces calls a helper.
pub(crate) fn stands_alone(name: &str) -> bool {
    ALONE.contains(&name)
}

pub(crate) fn is_helper(name: &str) -> bool {
    name == "raw" || NAMES.contains(&name) || TABLE.iter().any(|(n, _)| *n == name)
}

/// Registers all helpers.
pub(crate) fn register(registry: &mut Handlebars<'static>) {
    registry.unregister_helper("log");
    for (name, function) in TABLE {
        registry.register_helper(name, Box::new(Pure { name, function }));
    }
}

/// Why a helper cannot answer.
pub(crate) enum Fault {
    /// The variable as written.
    Missing(String),
    /// A sentence.
    Says(String),
}

/// One helper: a function and its name for messages.
struct Pure {
    name: &'static str,
    function: Function,
}

impl Pure {
    fn value(&self, helper: &Helper<'_>, context: &Context) -> Result<Value, RenderError> {
        let args = Args { helper, facts: context.data().get(FACTS).unwrap_or(&Value::Null) };
        (self.function)(&args).map_err(|fault| match fault {
            Fault::Missing(name) => RenderErrorReason::MissingVariable(Some(name)).into(),
            Fault::Says(text) => RenderErrorReason::Other(format!("{}: {text}", self.name)).into(),
        })
    }
}

impl HelperDef for Pure {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let variable = helper.params().is_empty() && helper.hash().is_empty() && !helper.is_block();
        if !variable || stands_alone(self.name) {
            return self.value(helper, context).map(ScopedJson::Derived);
        }
        let value = rc.evaluate(context, self.name)?;
        if value.is_missing() {
            return Err(RenderErrorReason::MissingVariable(Some(self.name.to_owned())).into());
        }
        Ok(value)
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = self.call_inner(helper, registry, context, rc)?;
        let value = value.as_json();
        if helper.is_block() {
            let branch = if value.is_truthy(false) { helper.template() } else { helper.inverse() };
            return branch.map_or(Ok(()), |t| t.render(registry, context, rc, out));
        }
        let text = value.render();
        // JSON is made safe by its own escapes and must not be escaped twice.
        let json = self.name == "json" && !helper.params().is_empty();
        if rc.is_disable_escape() || json {
            out.write(&text)?;
        } else {
            out.write(&registry.get_escape_fn()(&text))?;
        }
        Ok(())
    }
}

/// The arguments of one call.
pub(crate) struct Args<'a, 'rc> {
    helper: &'a Helper<'rc>,
    facts: &'a Value,
}

impl Args<'_, '_> {
    /// How many there are.
    fn len(&self) -> usize {
        self.helper.params().len()
    }

    /// An argument that has a value; null is none.
    fn value(&self, index: usize) -> Result<&Value, Fault> {
        let Some(param) = self.helper.param(index) else {
            return Err(Fault::Says(format!("argument {} is missing", index + 1)));
        };
        if param.is_value_missing() || param.value().is_null() {
            let name = param.relative_path().cloned();
            return Err(Fault::Missing(name.unwrap_or_else(|| format!("argument {}", index + 1))));
        }
        Ok(param.value())
    }

    /// An argument, or nothing where it is absent or without a value.
    fn optional(&self, index: usize) -> Option<&Value> {
        let param = self.helper.param(index)?;
        Some(param.value()).filter(|v| !param.is_value_missing() && !v.is_null())
    }

    /// An argument as text.
    fn text(&self, index: usize) -> Result<String, Fault> {
        self.value(index).map(JsonRender::render)
    }

    /// A named argument (`format="short"`), or the unnamed one at `index`.
    fn named(&self, name: &str, index: usize) -> Option<String> {
        match self.helper.hash_get(name) {
            Some(v) if !v.is_value_missing() && !v.value().is_null() => Some(v.value().render()),
            Some(_) => None,
            None => self.optional(index).map(JsonRender::render),
        }
    }

    /// A fact of the message.
    fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name)?.as_str()
    }

    fn sent_at(&self) -> i64 {
        self.facts.get(DATE).and_then(Value::as_i64).unwrap_or(0)
    }

    /// The `locale=` argument, or the campaign's.
    fn locale(&self) -> Result<Locale, Fault> {
        let tag = self.named(LOCALE, usize::MAX);
        let tag = tag.as_deref().or_else(|| self.fact(LOCALE)).unwrap_or("en");
        Locale::parse(tag)
            .ok_or_else(|| Fault::Says(format!("there is no locale {tag}; there are en and vi")))
    }

    /// The `zone=` argument, or the campaign's.
    fn zone(&self) -> Result<jiff::tz::TimeZone, Fault> {
        let name = self.named(ZONE, usize::MAX);
        let name = name.as_deref().or_else(|| self.fact(ZONE)).unwrap_or("UTC");
        jiff::tz::TimeZone::get(name).map_err(|_| {
            Fault::Says(format!("there is no time zone {name}; write one like Asia/Ho_Chi_Minh"))
        })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
