//! What `check` and `schedule` say: typed, with a severity and a stable code, so that scripts can act on it.

use serde::Serialize;
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely to cost readers, inbox placement or time.
    Warning,
    /// It must not be sent so; `schedule` refuses.
    Error,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable name.
    pub code: &'static str,
    /// The sentence for people, with the next step.
    pub message: String,
}

impl Finding {
    pub(crate) fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into() }
    }

    pub(crate) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code, message: message.into() }
    }
}

impl From<postroad_render::Finding> for Finding {
    fn from(f: postroad_render::Finding) -> Self {
        let severity = match f.severity {
            postroad_render::Severity::Note => Severity::Note,
            postroad_render::Severity::Warning => Severity::Warning,
            postroad_render::Severity::Error => Severity::Error,
        };
        Self { severity, code: f.code, message: f.message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}: {}", self.message)
    }
}
