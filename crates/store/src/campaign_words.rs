//! What a campaign's state and send window are as columns, written by its acts and by its canary's verdict.
//!
//! What must hold: a state is written only over the version that it was judged by, so that of two acts one is judged again.

use crate::sql::sql;
use postroad_model::Timestamp;
use postroad_model::campaign::CampaignSettings;

sql! {
    both CAMPAIGN_STATE = "campaign_state";
}

/// The send window as columns: when it opens next, and when it shuts after that.
pub(crate) fn window_columns(
    settings: &CampaignSettings,
    now: Timestamp,
) -> (Timestamp, Option<Timestamp>) {
    match &settings.window {
        None => (Timestamp(0), None),
        Some(window) => match window.next_open(now) {
            Some(open) => (open, window.closes_after(open)),
            None => (Timestamp(i64::MAX), None),
        },
    }
}

/// Writes a campaign's next state inside a `tx!` body; false when its row has changed since it was read. The start stays as
/// it is where `$start` is none.
macro_rules! write_state {
    ($c:expr, $e:expr, $stored:expr, $next:expr, $start:expr, $now:expr) => {{
        use $crate::campaign_words::{CAMPAIGN_STATE, window_columns};
        let (stored, next): (_, &postroad_model::campaign::CampaignState) = (&$stored, $next);
        let (open, close) = window_columns(&stored.campaign.settings, $now);
        let start: Option<i64> = $start;
        let done = sqlx::query(CAMPAIGN_STATE.of($e))
            .bind(stored.campaign.id.0)
            .bind(stored.version)
            .bind(next.name())
            .bind($crate::campaigns::json("a campaign's state", next)?)
            .bind(start)
            .bind(open.0)
            .bind(close.map(|t| t.0))
            .bind($now.0)
            .execute(&mut *$c)
            .await
            .named(&CAMPAIGN_STATE)?;
        done.rows_affected() == 1
    }};
}
pub(crate) use write_state;
