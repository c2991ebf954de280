//! What became of something that came back: one line for each report in it.

use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{DeliveryId, EmailAddress};
use serde::Serialize;

/// What became of one mail or one batch of events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// One for each report or event, in their order; empty for ordinary mail.
    pub outcomes: Vec<Outcome>,
}

impl Taken {
    /// True when there was nothing for us in it: ordinary mail, which a mailbox may leave alone.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.outcomes.is_empty()
    }
}

/// What became of one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whom it speaks of.
    pub recipient: Option<EmailAddress>,
    /// Its delivery, where one was found.
    pub delivery: Option<DeliveryId>,
    /// How lasting, where it is a bounce.
    pub kind: BounceKind,
    /// Why.
    pub reason: Reason,
    /// What was done about it.
    pub done: Done,
}

/// What was done about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It became an event, and the policy was applied.
    Recorded,
    /// It had been recorded before: nothing changed.
    SeenBefore,
    /// It leads to nothing that we sent: nothing changed.
    NotOurs,
    /// Its token is not one of ours, or older than tokens are good for: nothing changed.
    Forged,
    /// It is about nobody's delivery (an automatic answer, a report for the domain's owner): noted at most.
    Noted,
}
