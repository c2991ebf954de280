//! Campaigns: what is sent, to whom, when; and the transitions of a campaign's state as pure functions.
//!
//! Any service applies them through one store method. Waiting for quota is `Running`; `Held` is for brakes, a
//! canary and missing facts.

use crate::address::Mailbox;
use crate::canary::Canary;
use crate::seed::SeedChoice;
use crate::send_window::SendWindow;
use crate::{CampaignId, ListId, PoolId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a campaign is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// A brake: complaints, bounces or blocks passed a threshold.
    Brake(String),
    /// The canary's copies did not reach enough inboxes, and why that is said.
    Canary(String),
    /// A fact is missing, e.g. a relay was taken out of the configuration.
    MissingFact(String),
}

/// Where a campaign stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CampaignState {
    /// Known, not scheduled.
    Draft,
    /// Starts at a time.
    Scheduled {
        /// When.
        at: Timestamp,
    },
    /// Its rows may be leased.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Stopped by a rule; goes on when it is resolved.
    Held {
        /// Why.
        reason: HoldReason,
        /// Until when, if it ends by itself.
        until: Option<Timestamp>,
    },
    /// Stopped by the operator.
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// Nothing is left to send.
    Finished {
        /// When.
        at: Timestamp,
    },
    /// Ended by the operator.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// Its latest start passed while nothing ran.
    Missed {
        /// When that was found.
        at: Timestamp,
    },
}

/// What may happen to a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CampaignAct {
    /// `schedule`, also again with another time.
    Schedule {
        /// When it starts.
        at: Timestamp,
    },
    /// Its time has come and its audience is frozen.
    Start,
    /// The operator's pause.
    Pause,
    /// The operator's resume, also out of `Held`.
    Resume,
    /// A rule stops it.
    Hold {
        /// Why.
        reason: HoldReason,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// Nothing is left.
    Finish,
    /// The operator's end.
    Cancel,
    /// Too late to start.
    Miss,
    /// An operator's `retry` or `reconcile` reopened rows of a finished campaign.
    Reopen,
}

/// An act that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a campaign that is {state} cannot {act}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// The act's name.
    pub act: &'static str,
}

impl CampaignState {
    /// The state's name in the database, reports and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled { .. } => "scheduled",
            Self::Running { .. } => "running",
            Self::Held { .. } => "held",
            Self::Paused { .. } => "paused",
            Self::Finished { .. } => "finished",
            Self::Cancelled { .. } => "cancelled",
            Self::Missed { .. } => "missed",
        }
    }

    /// True while its rows may be leased and sent.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// True when it will not go on by itself or by `resume`.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Cancelled { .. } | Self::Missed { .. })
    }

    /// The state after an act at `now`.
    ///
    /// # Errors
    /// `InvalidTransition` names both; nothing changes.
    pub fn after(&self, act: &CampaignAct, now: Timestamp) -> Result<Self, InvalidTransition> {
        use CampaignAct as A;
        let refused = || InvalidTransition { state: self.name(), act: act.name() };
        let next = match (act, self) {
            (A::Schedule { at }, Self::Draft | Self::Scheduled { .. } | Self::Missed { .. }) => {
                Self::Scheduled { at: *at }
            }
            (A::Start, Self::Scheduled { .. }) => Self::Running { since: now },
            (A::Miss, Self::Scheduled { .. }) => Self::Missed { at: now },
            (A::Pause, Self::Running { .. } | Self::Held { .. }) => Self::Paused { since: now },
            (A::Resume, Self::Paused { .. } | Self::Held { .. }) => Self::Running { since: now },
            (A::Hold { reason, until }, Self::Running { .. } | Self::Held { .. }) => {
                Self::Held { reason: reason.clone(), until: *until }
            }
            (A::Finish, Self::Running { .. }) => Self::Finished { at: now },
            (A::Reopen, Self::Finished { .. }) => Self::Running { since: now },
            (A::Reopen, Self::Running { .. } | Self::Paused { .. } | Self::Held { .. }) => {
                self.clone()
            }
            (
                A::Cancel,
                Self::Draft
                | Self::Scheduled { .. }
                | Self::Running { .. }
                | Self::Held { .. }
                | Self::Paused { .. }
                | Self::Missed { .. },
            ) => Self::Cancelled { at: now },
            (
                A::Schedule { .. }
                | A::Start
                | A::Miss
                | A::Pause
                | A::Resume
                | A::Hold { .. }
                | A::Finish
                | A::Reopen
                | A::Cancel,
                _,
            ) => return Err(refused()),
        };
        Ok(next)
    }
}

impl CampaignAct {
    /// The act's name in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Schedule { .. } => "be scheduled",
            Self::Start => "start",
            Self::Pause => "be paused",
            Self::Resume => "be resumed",
            Self::Hold { .. } => "be held",
            Self::Finish => "finish",
            Self::Cancel => "be cancelled",
            Self::Miss => "miss its start",
            Self::Reopen => "be reopened",
        }
    }
}

/// What to do with rows whose final answer was lost and for which no evidence came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Leave them: at most once.
    #[default]
    Hold,
    /// Send again, at most this many copies in all.
    Resend {
        /// Copies in all, the first one included; at least 2.
        copies: u8,
    },
}

/// What kind of mail a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignKind {
    /// To an audience.
    #[default]
    Bulk,
    /// `campaign test`: first in line, outside the books.
    Test,
}

/// Format of the main body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// HTML.
    Html,
    /// MJML, turned into HTML.
    Mjml,
    /// Plain text only.
    Text,
}

/// A file that goes with every message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name as the recipient sees it.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Content id without brackets when the body shows it inline (`cid:`).
    pub content_id: Option<String>,
    /// The octets, base64 in JSON.
    #[serde(with = "base64_text")]
    pub bytes: Vec<u8>,
}

mod base64_text {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(d)?.as_bytes()).map_err(D::Error::custom)
    }
}

/// Template and everything that goes into each message, copied by content at `schedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Name of the template in error messages.
    pub template_name: String,
    /// Subject, a template.
    pub subject: String,
    /// Preheader, a template.
    pub preheader: Option<String>,
    /// Format of `body`.
    pub format: BodyFormat,
    /// The body, a template.
    pub body: String,
    /// The text part, a template; derived from the body when absent.
    pub text: Option<String>,
    /// Files.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// Everything of a campaign that `schedule` freezes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignSettings {
    /// Names of the lists it goes to.
    pub lists: Vec<String>,
    /// Names of the lists whose members are left out.
    pub exclude: Vec<String>,
    /// The filter as written.
    pub filter: Option<String>,
    /// From.
    pub from: Mailbox,
    /// Reply-To.
    pub reply_to: Option<Mailbox>,
    /// The pool's name.
    pub pool: String,
    /// When it may send; absent: always.
    pub window: Option<SendWindow>,
    /// No start after this.
    pub latest_start: Option<Timestamp>,
    /// Nothing is sent after this.
    pub expires_at: Option<Timestamp>,
    /// What to do with unknown rows.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// Seeds and a share of the audience go first, and decide whether the rest does.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// Which seeds it goes to as well.
    #[serde(default)]
    pub seeds: SeedChoice,
    /// Whether each HTML part carries an image that tells of its opening.
    #[serde(default)]
    pub track_opens: bool,
    /// `en` or `vi`: language of generated texts and the default of date and number helpers.
    pub locale: String,
    /// IANA zone of date helpers and the send window.
    pub zone: String,
    /// What is sent.
    pub content: Content,
}

/// A campaign's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Its name, unique.
    pub name: String,
    /// What kind.
    pub kind: CampaignKind,
    /// Where it stands.
    pub state: CampaignState,
    /// The settings.
    pub settings: CampaignSettings,
    /// Its lists.
    pub list_ids: Vec<ListId>,
    /// Its pool.
    pub pool: PoolId,
    /// Partition of its rows.
    pub bucket: i64,
    /// Seed of ranks.
    pub seed: i64,
    /// Size of the frozen audience; `None` before the start.
    pub audience: Option<i64>,
    /// When the row was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(5);

    #[test]
    fn a_campaign_runs_its_course() {
        let s = CampaignState::Draft.after(&CampaignAct::Schedule { at: NOW }, NOW).unwrap();
        let s = s.after(&CampaignAct::Start, NOW).unwrap();
        let s = s.after(&CampaignAct::Pause, NOW).unwrap();
        assert_eq!(
            s.after(&CampaignAct::Finish, NOW).unwrap_err().to_string(),
            "a campaign that is paused cannot finish"
        );
        let s = s.after(&CampaignAct::Resume, NOW).unwrap();
        assert!(s.after(&CampaignAct::Finish, NOW).unwrap().is_over());
    }

    #[test]
    fn what_is_over_stays_over_but_for_a_recorded_act() {
        let cancelled = CampaignState::Cancelled { at: NOW };
        assert!(cancelled.after(&CampaignAct::Resume, NOW).is_err());
        assert!(cancelled.after(&CampaignAct::Reopen, NOW).is_err());
        assert!(
            CampaignState::Finished { at: NOW }.after(&CampaignAct::Reopen, NOW).unwrap().runs()
        );
    }
}
