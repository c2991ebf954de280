//! What a provider's event quotes of a refusal, judged as the words of a bounce are.
//!
//! `feedback` calls it for the events of webhooks, which bring status, code and words in fields of their own. It puts them
//! together as a bounce has them (RFC 3464 section 2.3) and asks `understand`. What always holds: the same words mean the
//! same in a mail and in an event. It does not know what the provider thinks of the address.

use crate::codes;
use crate::reading::{Action, Confidence};
use crate::understand::{self, Conclusion, Evidence};
use postroad_model::verdict::{BounceKind, Reason};

/// A refusal that somebody else tells of in fields of his own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused<'r> {
    /// Whose mailbox it was for.
    pub recipient: Option<&'r str>,
    /// Enhanced status, where told.
    pub status: Option<&'r str>,
    /// SMTP reply code, where told.
    pub code: Option<u16>,
    /// The words of the far side, with or without codes in them.
    pub diagnostic: &'r str,
}

/// What a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How lasting, and whose fault.
    pub kind: BounceKind,
    /// Why.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// The rule that decided.
    pub rule: String,
}

/// Judges what a provider's event quotes, as a bounce's words are judged.
#[must_use]
pub fn classify_diagnostic(refused: &Refused<'_>) -> Judged {
    let said = codes::of(refused.diagnostic);
    let diagnostic = match refused.code {
        Some(code) if said.code.is_none() => format!("{code} {}", refused.diagnostic),
        Some(_) | None => refused.diagnostic.to_owned(),
    };
    let found = understand::conclude(&Evidence {
        recipient: refused.recipient,
        action: Some(Action::Failed),
        status: refused.status,
        diagnostic: &diagnostic,
        alone: true,
        ..Evidence::default()
    });
    let Conclusion { kind, reason, confidence, rule, .. } = found;
    Judged { kind, reason, confidence, rule }
}
