//! Templates and one recipient in, MIME octets out: the same octets every time.
//!
//! The only maker of a message, links and header fields included (hop 7 of docs/flow.md): `check`, `campaign test`,
//! delivery and the web view all call it. [`Compiled::compile`] runs once per campaign and does what does not
//! depend on the recipient: MJML to HTML, CSS inlining, the text part's template, parsing, encoding of
//! attachments. [`compose`] runs once per recipient and does no I/O, reads no clock and draws no random number:
//! Message-ID and boundaries come from the row's seed, Date and tokens are given.
//!
//! What always holds: a message is 7-bit safe, its lines are at most 998 octets, no datum of a contact can begin a
//! header field or a line of its own in one, and a variable without a value is an error that names template, line
//! and column. It signs nothing (dkim), sends nothing (delivery) and mints no token (model).

mod compiled;
mod compose;
mod context;
mod facts;
mod headers;
mod helpers;
mod html;
mod inspect;
mod issue;
mod mime;
mod mjml;
mod mustache;
mod outline;
mod prepare;
pub mod shipped;
mod text;

pub use compiled::{AttachmentLimits, Compiled, media_type_of};
pub use compose::{Rendition, compose, render, render_html};
pub use facts::{CampaignFacts, ListFacts, Locale, RecipientFacts};
pub use inspect::{Finding, Inspection, Link, Severity, inspect};
pub use issue::{ComposeError, TemplateIssue};
