//! Reads a parsed template without running it: which variables it may ask for, which helpers and partials it calls.
//!
//! Called by `compiled`. The variables decide what a recipient's context must hold, so that attributes which no
//! template mentions cost nothing per message. The set may be too large (a name inside `{{#each}}` counts), never
//! too small: what cannot be told apart asks for everything.

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};
use std::collections::BTreeSet;

/// What a template may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// First segments of all paths.
    pub roots: BTreeSet<String>,
    /// Some path names no segment (`this`, `@root`): the whole context is needed.
    pub everything: bool,
}

impl Uses {
    pub(crate) fn root(&self, name: &str) -> bool {
        self.everything || self.roots.contains(name)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.roots.extend(other.roots);
        self.everything |= other.everything;
    }
}

/// Calls that cannot work, with line and column.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub uses: Uses,
    pub helpers: BTreeSet<String>,
    /// Helper or partial, its place, and what to say.
    pub faults: Vec<((usize, usize), String)>,
}

/// Walks a template.
pub(crate) fn outline(template: &Template) -> Outline {
    let mut walk = Walk { out: Outline::default(), partials: BTreeSet::new(), at: (1, 1) };
    walk.template(template);
    walk.out
}

struct Walk {
    out: Outline,
    partials: BTreeSet<String>,
    at: (usize, usize),
}

impl Walk {
    fn template(&mut self, template: &Template) {
        for (i, element) in template.elements.iter().enumerate() {
            if let Some(m) = template.mapping.get(i) {
                self.at = (m.0, m.1);
            }
            self.element(element);
        }
    }

    fn element(&mut self, element: &TemplateElement) {
        use TemplateElement as E;
        match element {
            E::Expression(h) | E::HtmlExpression(h) | E::HelperBlock(h) => self.helper(h),
            E::DecoratorExpression(d) | E::DecoratorBlock(d) => self.decorator(d),
            E::PartialExpression(d) | E::PartialBlock(d) => self.partial(d),
            E::RawString(_) | E::Comment(_) => {}
            _ => self.out.uses.everything = true,
        }
    }

    fn helper(&mut self, h: &HelperTemplate) {
        if let Parameter::Name(name) = &h.name {
            self.call(name);
        } else if let Parameter::Path(path) = &h.name {
            let raw = raw(path);
            if h.block {
                self.call(raw);
            } else if crate::helpers::stands_alone(raw) {
                self.out.helpers.insert(raw.to_owned());
            } else {
                self.path(path);
            }
        } else {
            self.parameter(&h.name);
        }
        h.params.iter().chain(h.hash.values()).for_each(|p| self.parameter(p));
        for inner in [&h.template, &h.inverse].into_iter().flatten() {
            self.template(inner);
        }
    }

    fn call(&mut self, name: &str) {
        self.out.helpers.insert(name.to_owned());
        if !crate::helpers::is_helper(name) {
            let known = crate::helpers::NAMES.join(", ");
            self.out
                .faults
                .push((self.at, format!("there is no helper {name}; there are: {known}")));
        }
    }

    fn decorator(&mut self, d: &DecoratorTemplate) {
        if let Some(Parameter::Literal(name)) = d.params.first()
            && let Some(name) = name.as_str()
        {
            self.partials.insert(name.to_owned());
        }
        if let Some(inner) = &d.template {
            self.template(inner);
        }
    }

    fn partial(&mut self, d: &DecoratorTemplate) {
        let name = if let Parameter::Name(name) = &d.name {
            name
        } else if let Parameter::Path(path) = &d.name {
            raw(path)
        } else {
            ""
        };
        if name != "@partial-block" && !self.partials.contains(name) && d.template.is_none() {
            let text = format!(
                "there is no partial {name}; define it above with {{{{#*inline \"{name}\"}}}} or write it out"
            );
            self.out.faults.push((self.at, text));
        }
        d.params.iter().chain(d.hash.values()).for_each(|p| self.parameter(p));
        if let Some(inner) = &d.template {
            self.template(inner);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Path(path) => self.path(path),
            Parameter::Subexpression(inner) => self.element(&inner.element),
            Parameter::Name(_) | Parameter::Literal(_) => {}
            _ => self.out.uses.everything = true,
        }
    }

    fn path(&mut self, path: &Path) {
        let Path::Relative((segments, _)) = path else { return };
        let named =
            segments.iter().find_map(|s| if let PathSeg::Named(n) = s { Some(n) } else { None });
        match named {
            Some(name) => drop(self.out.uses.roots.insert(name.clone())),
            None => self.out.uses.everything = true,
        }
    }
}

fn raw(path: &Path) -> &str {
    match path {
        Path::Relative((_, raw)) | Path::Local((_, _, raw)) => raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, roots: &[&str], everything: bool, faults: usize) {
        let got = outline(&Template::compile(source).unwrap());
        let names: Vec<&str> = got.uses.roots.iter().map(String::as_str).collect();
        assert_eq!(
            (names.as_slice(), got.uses.everything, got.faults.len()),
            (roots, everything, faults),
            "{source}"
        );
    }

    #[test]
    fn the_variables_of_a_template_are_known_before_it_runs() {
        check("{{a}} {{{b.c}}} {{upper d}}", &["a", "b", "d"], false, 0);
        check("{{#if (eq e \"x\")}}{{f}}{{else}}{{../g}}{{/if}}", &["e", "f", "g"], false, 0);
        check("{{money h currency=i}}{{unsubscribe_url}}{{@index}}", &["h", "i"], false, 0);
        check("{{#each items}}{{this}}{{/each}}", &["items"], true, 0);
        check("{{title}}{{date \"now\"}}", &["title"], false, 0);
        check("{{@root.z}}", &["z"], false, 0);
        check("{{lookup this \"a\"}}", &[], true, 0);
    }

    #[test]
    fn unknown_helpers_and_partials_are_faults_with_a_place() {
        check("{{shout x}}{{#loud}}a{{/loud}}{{> footer}}", &["x"], false, 3);
        check("{{#*inline \"footer\"}}f{{/inline}}{{> footer}}", &[], false, 0);
        let got = outline(&Template::compile("a\n  {{shout x}}").unwrap());
        assert_eq!(got.faults[0].0, (2, 3));
    }
}
