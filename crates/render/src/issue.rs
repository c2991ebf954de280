//! What can be wrong with a template, and with one recipient's message.
//!
//! Every fault has a place that a person can go to: template name, line, column. `check` prints them all.

use std::fmt;

/// A fault of a template, found before any recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateIssue {
    /// The file or field: `body.mjml`, `body.mjml (subject)`.
    pub template: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for TemplateIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.template, self.line, self.column, self.message)
    }
}

impl std::error::Error for TemplateIssue {}

/// Why one recipient's message cannot be composed. The delivery becomes `Failed`; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The template asks for something that this recipient does not have.
    #[error("{template}:{line}:{column}: no value for {variable}; {}", remedy(variable))]
    MissingVariable {
        /// Template name.
        template: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The variable as the template writes it.
        variable: String,
    },
    /// A helper could not work with this recipient's data.
    #[error("{0}")]
    Template(TemplateIssue),
    /// RFC 5322 would allow it, nobody wants it.
    #[error("the subject is empty for this recipient; put literal text into the subject")]
    EmptySubject,
}

/// Where the value of a variable comes from, and how to do without.
fn remedy(variable: &str) -> String {
    match variable.split('.').next().unwrap_or("") {
        "postal_address" => {
            "set postal_address of the sending [[domain]], or write {{#if postal_address}}"
                .to_owned()
        }
        "list" => {
            format!("the campaign has no list of its own; write {{{{default {variable} \"...\"}}}}")
        }
        _ => {
            format!("give the contact that attribute, or write {{{{default {variable} \"...\"}}}}")
        }
    }
}
