//! Campaigns as rows: made, replaced while they have not started, moved by the acts of `model::campaign`.
//!
//! `campaign` calls it; any service may apply an act through [`Store::apply_campaign_act`]. What must hold: a state
//! is only ever written as the outcome of `CampaignState::after` on the state that stands, checked by the row's
//! version; start, expiry and send window stand in columns of their own, kept in step, because W1 reads them.

use crate::audience::month_bucket;
use crate::backend::{Named, read, tx};
use crate::campaign_words::{window_columns, write_state};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::campaign::{
    Campaign, CampaignAct, CampaignKind, CampaignSettings, CampaignState,
};
use postroad_model::{CampaignId, ListId, PoolId, Timestamp};

sql! {
    both CAMPAIGN_BY_NAME = "campaign_by_name";
    both CAMPAIGN_BY_ID = "campaign_by_id";
    both CAMPAIGNS_ALL = "campaigns_all";
    both CAMPAIGNS_ALIVE = "campaigns_alive";
    both CAMPAIGN_LISTS_OF = "campaign_lists_of";
    both CAMPAIGN_LISTS_CLEAR = "campaign_lists_clear";
    both CAMPAIGN_LIST_ADD = "campaign_list_add";
    both CAMPAIGN_INSERT = "campaign_insert";
    both CAMPAIGN_SETTINGS = "campaign_settings";
    both CAMPAIGN_WINDOW = "campaign_window";
    both CAMPAIGN_EXPIRY = "campaign_expiry";
    both LIST_ID_BY_NAME = "list_id_by_name";
    both LIST_NAMES_KNOWN = "list_names_known";
    both POOL_ID_BY_NAME = "pool_id_by_name";
}

/// A campaign to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCampaign {
    /// Its name.
    pub name: String,
    /// What kind.
    pub kind: CampaignKind,
    /// Everything that `schedule` copies.
    pub settings: CampaignSettings,
    /// Seed of its ranks; a campaign that stands keeps its own.
    pub seed: i64,
}

/// A campaign's row with the columns that W1 reads.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCampaign {
    /// The campaign.
    pub campaign: Campaign,
    /// When it starts or started.
    pub start_at: Option<Timestamp>,
    /// Nothing is sent from here on.
    pub expires_at: Option<Timestamp>,
    /// The send window is shut before.
    pub window_open_at: Timestamp,
    /// The send window shuts then.
    pub window_close_at: Option<Timestamp>,
    /// Grows with each change.
    pub version: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct CampaignRow {
    id: i64,
    name: String,
    kind: String,
    pool_id: i64,
    bucket: i64,
    seed: i64,
    created_at: i64,
    state_data: String,
    settings: String,
    audience: Option<i64>,
    start_at: Option<i64>,
    expires_at: Option<i64>,
    window_open_at: i64,
    window_close_at: Option<i64>,
    version: i64,
}

impl CampaignRow {
    fn into_stored(self, lists: Vec<i64>) -> Result<StoredCampaign> {
        let bad =
            |column| Error::Inconsistent { table: "campaigns", column, id: self.id.to_string() };
        let kind = kind_of(&self.kind).ok_or_else(|| bad("kind"))?;
        let state = serde_json::from_str(&self.state_data).map_err(|_| bad("state_data"))?;
        let settings = serde_json::from_str(&self.settings).map_err(|_| bad("settings"))?;
        Ok(StoredCampaign {
            campaign: Campaign {
                id: CampaignId(self.id),
                name: self.name,
                kind,
                state,
                settings,
                list_ids: lists.into_iter().map(ListId).collect(),
                pool: PoolId(self.pool_id),
                bucket: self.bucket,
                seed: self.seed,
                audience: self.audience,
                created_at: Timestamp(self.created_at),
            },
            start_at: self.start_at.map(Timestamp),
            expires_at: self.expires_at.map(Timestamp),
            window_open_at: Timestamp(self.window_open_at),
            window_close_at: self.window_close_at.map(Timestamp),
            version: self.version,
        })
    }
}

pub(crate) fn kind_name(kind: CampaignKind) -> &'static str {
    match kind {
        CampaignKind::Bulk => "bulk",
        CampaignKind::Test => "test",
    }
}

fn kind_of(name: &str) -> Option<CampaignKind> {
    [CampaignKind::Bulk, CampaignKind::Test].into_iter().find(|k| kind_name(*k) == name)
}

pub(crate) fn json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Json { what, source })
}

/// One campaign with its lists by a statement with one parameter, inside a `tx!` or `read!` body.
macro_rules! campaign_row {
    ($c:expr, $e:expr, $statement:expr, $key:expr) => {{
        let row: Option<CampaignRow> = sqlx::query_as($statement.of($e))
            .bind($key)
            .fetch_optional(&mut *$c)
            .await
            .named(&$statement)?;
        match row {
            None => None,
            Some(row) => {
                let lists: Vec<i64> = sqlx::query_scalar(CAMPAIGN_LISTS_OF.of($e))
                    .bind(row.id)
                    .fetch_all(&mut *$c)
                    .await
                    .named(&CAMPAIGN_LISTS_OF)?;
                Some(row.into_stored(lists)?)
            }
        }
    }};
}

/// The ids of lists by name, inside a `tx!` or `read!` body.
macro_rules! list_ids {
    ($c:expr, $e:expr, $names:expr) => {{
        let mut ids: Vec<ListId> = Vec::new();
        for name in $names {
            let id: Option<i64> = sqlx::query_scalar(LIST_ID_BY_NAME.of($e))
                .bind(name)
                .fetch_optional(&mut *$c)
                .await
                .named(&LIST_ID_BY_NAME)?;
            match id {
                Some(id) => ids.push(ListId(id)),
                None => {
                    let known: Vec<String> = sqlx::query_scalar(LIST_NAMES_KNOWN.of($e))
                        .fetch_all(&mut *$c)
                        .await
                        .named(&LIST_NAMES_KNOWN)?;
                    return Err(unknown_list(name, &known));
                }
            }
        }
        ids
    }};
}

fn unknown_list(name: &str, known: &[String]) -> Error {
    let hint = if known.is_empty() {
        "; there is no list yet, `postroad contact import FILE --list NAME` makes one".to_owned()
    } else {
        format!("; the lists are: {}", known.join(", "))
    };
    Error::NotFound { kind: "list", name: name.to_owned(), hint }
}

fn unknown_campaign(name: String) -> Error {
    let hint = "; `postroad campaign list` shows all".to_owned();
    Error::NotFound { kind: "campaign", name, hint }
}

impl Store {
    /// Writes a campaign that has not started, new or in place of its former settings, and applies `acts` to it.
    ///
    /// # Errors
    /// `NotFound` for a list or pool, `Exists` when the campaign of that name has started, `Transition`.
    pub async fn save_campaign(
        &self,
        new: &NewCampaign,
        acts: &[CampaignAct],
        now: Timestamp,
    ) -> Result<StoredCampaign> {
        let settings = json("a campaign's settings", &new.settings)?;
        let expires = new.settings.expires_at.map(|t| t.0);
        let id = tx!(self, |c, e| {
            let pool: Option<i64> = sqlx::query_scalar(POOL_ID_BY_NAME.of(e))
                .bind(&new.settings.pool)
                .fetch_optional(&mut *c)
                .await
                .named(&POOL_ID_BY_NAME)?;
            let pool = pool.ok_or_else(|| Error::NotFound {
                kind: "pool",
                name: new.settings.pool.clone(),
                hint: "; [[pool]] tables of the configuration name them".into(),
            })?;
            let lists = list_ids!(c, e, &new.settings.lists);
            let old = campaign_row!(c, e, CAMPAIGN_BY_NAME, &new.name);
            let id = match old {
                Some(old) => {
                    replaceable(&old.campaign)?;
                    sqlx::query(CAMPAIGN_SETTINGS.of(e))
                        .bind(old.campaign.id.0)
                        .bind(pool)
                        .bind(settings)
                        .bind(expires)
                        .bind(now.0)
                        .execute(&mut *c)
                        .await
                        .named(&CAMPAIGN_SETTINGS)?;
                    old.campaign.id.0
                }
                None => sqlx::query_scalar::<_, i64>(CAMPAIGN_INSERT.of(e))
                    .bind(&new.name)
                    .bind(kind_name(new.kind))
                    .bind(pool)
                    .bind(month_bucket(now))
                    .bind(new.seed)
                    .bind(now.0)
                    .bind(json("a campaign's state", &CampaignState::Draft)?)
                    .bind(settings)
                    .bind(expires)
                    .fetch_one(&mut *c)
                    .await
                    .named(&CAMPAIGN_INSERT)?,
            };
            sqlx::query(CAMPAIGN_LISTS_CLEAR.of(e))
                .bind(id)
                .execute(&mut *c)
                .await
                .named(&CAMPAIGN_LISTS_CLEAR)?;
            for list in lists {
                sqlx::query(CAMPAIGN_LIST_ADD.of(e))
                    .bind(id)
                    .bind(list.0)
                    .execute(&mut *c)
                    .await
                    .named(&CAMPAIGN_LIST_ADD)?;
            }
            Ok(CampaignId(id))
        })?;
        for act in acts {
            self.apply_campaign_act(id, act, now).await?;
        }
        self.campaign_by_id(id).await
    }

    /// The campaign of a name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn campaign(&self, name: &str) -> Result<StoredCampaign> {
        let found = self.find_campaign(name).await?;
        found.ok_or_else(|| unknown_campaign(name.to_owned()))
    }

    /// The campaign of a name, if there is one.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_campaign(&self, name: &str) -> Result<Option<StoredCampaign>> {
        read!(self, |c, e| Ok(campaign_row!(c, e, CAMPAIGN_BY_NAME, name)))
    }

    /// A campaign by its id.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn campaign_by_id(&self, id: CampaignId) -> Result<StoredCampaign> {
        let found = read!(self, |c, e| Ok(campaign_row!(c, e, CAMPAIGN_BY_ID, id.0)))?;
        found.ok_or_else(|| unknown_campaign(id.to_string()))
    }

    /// All campaigns, the newest first, without their lists.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaigns(&self) -> Result<Vec<StoredCampaign>> {
        let rows: Vec<CampaignRow> = read!(self, |c, e| {
            sqlx::query_as(CAMPAIGNS_ALL.of(e)).fetch_all(&mut *c).await.named(&CAMPAIGNS_ALL)
        })?;
        rows.into_iter().map(|row| row.into_stored(Vec::new())).collect()
    }

    /// Campaigns that may need something done now or later: not over, or cancelled with rows that still wait.
    ///
    /// # Errors
    /// The database's.
    pub async fn living_campaigns(&self) -> Result<Vec<StoredCampaign>> {
        read!(self, |c, e| {
            let rows: Vec<CampaignRow> = sqlx::query_as(CAMPAIGNS_ALIVE.of(e))
                .fetch_all(&mut *c)
                .await
                .named(&CAMPAIGNS_ALIVE)?;
            let mut found = Vec::with_capacity(rows.len());
            for row in rows {
                let lists: Vec<i64> = sqlx::query_scalar(CAMPAIGN_LISTS_OF.of(e))
                    .bind(row.id)
                    .fetch_all(&mut *c)
                    .await
                    .named(&CAMPAIGN_LISTS_OF)?;
                found.push(row.into_stored(lists)?);
            }
            Ok(found)
        })
    }

    /// The ids of lists by name, in the order given.
    ///
    /// # Errors
    /// `NotFound` with the names of the lists that exist.
    pub async fn list_ids(&self, names: &[String]) -> Result<Vec<ListId>> {
        read!(self, |c, e| Ok(list_ids!(c, e, names)))
    }

    /// Applies an act to a campaign's state as it stands, and keeps the columns that W1 reads in step.
    ///
    /// # Errors
    /// `Transition` when the state does not allow it, `NotFound`.
    pub async fn apply_campaign_act(
        &self,
        id: CampaignId,
        act: &CampaignAct,
        now: Timestamp,
    ) -> Result<CampaignState> {
        loop {
            let written = tx!(self, |c, e| {
                let old = campaign_row!(c, e, CAMPAIGN_BY_ID, id.0)
                    .ok_or_else(|| unknown_campaign(id.to_string()))?;
                let next = old.campaign.state.after(act, now).map_err(|source| {
                    Error::Transition { name: old.campaign.name.clone(), source }
                })?;
                let start = match &next {
                    CampaignState::Scheduled { at } => Some(at.0),
                    CampaignState::Draft
                    | CampaignState::Running { .. }
                    | CampaignState::Held { .. }
                    | CampaignState::Paused { .. }
                    | CampaignState::Finished { .. }
                    | CampaignState::Cancelled { .. }
                    | CampaignState::Missed { .. } => None,
                };
                Ok(write_state!(c, e, old, &next, start, now).then_some(next))
            })?;
            // Another act came between reading and writing (PostgreSQL): judge again by what it left.
            if let Some(state) = written {
                return Ok(state);
            }
        }
    }

    /// Gives a campaign another time to expire; its settings keep what `schedule` copied.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_campaign_expiry(
        &self,
        id: CampaignId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(CAMPAIGN_EXPIRY.of(e))
                .bind(id.0)
                .bind(expires_at.0)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&CAMPAIGN_EXPIRY)
                .map(drop)
        })
    }

    /// Writes when a campaign's send window opens and shuts next.
    ///
    /// # Errors
    /// The database's.
    pub async fn refresh_send_window(&self, stored: &StoredCampaign, now: Timestamp) -> Result<()> {
        let (open, close) = window_columns(&stored.campaign.settings, now);
        tx!(self, |c, e| {
            sqlx::query(CAMPAIGN_WINDOW.of(e))
                .bind(stored.campaign.id.0)
                .bind(open.0)
                .bind(close.map(|t| t.0))
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&CAMPAIGN_WINDOW)
                .map(drop)
        })
    }
}

fn replaceable(old: &Campaign) -> Result<()> {
    match old.state {
        CampaignState::Draft | CampaignState::Scheduled { .. } | CampaignState::Missed { .. } => {
            Ok(())
        }
        CampaignState::Running { .. }
        | CampaignState::Held { .. }
        | CampaignState::Paused { .. }
        | CampaignState::Finished { .. }
        | CampaignState::Cancelled { .. } => {
            Err(Error::Exists { kind: "campaign", name: old.name.clone() })
        }
    }
}
