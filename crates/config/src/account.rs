//! Accounts: from all relay drafts together to relays with their limits.
//!
//! Limits belong to an account (a quota group, or a relay alone). Here the group's members are made equal, needs
//! that no number answers are refused with the question to ask, and two relays that are plainly one account but
//! would be counted apart are refused: else the promise "never over quota" would be broken by the configuration.

use crate::limits::{LimitSource, Merged, Stated, merge, take_reserve};
use crate::problem::Context;
use crate::profile::{Need, QuotaScope};
use crate::relay::Draft;
use crate::section::At;
use crate::settings::is_loopback;
use postroad_model::limit::{CalendarPeriod, Keeper, Limit, Window};
use postroad_model::relay::{Auth, Relay};
use std::collections::BTreeMap;

/// One limit as it holds, for `config show` and `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveLimit {
    /// The scope: `relay:NAME` or `group:NAME`.
    pub scope: String,
    /// The relays that share it.
    pub relays: Vec<String>,
    /// The limit that is kept, `reserve` taken off.
    pub limit: Limit,
    /// The number before `reserve` was taken off.
    pub stated: i64,
    /// Whose number it is.
    pub source: LimitSource,
}

/// Settles all drafts.
pub(crate) fn settle(
    ctx: &Context<'_>,
    drafts: Vec<Draft<'_>>,
) -> (Vec<Relay>, Vec<EffectiveLimit>) {
    let mut drafts = drafts;
    share_in_groups(ctx, &mut drafts);
    check_one_account_one_scope(ctx, &drafts);
    let mut relays = Vec::new();
    let mut rows: Vec<EffectiveLimit> = Vec::new();
    for draft in drafts {
        let key = |k: &str| format!("{}{k}", draft.label);
        warn_of_bulk(ctx, &draft);
        let merged = limits_of(ctx, &draft, &key("limits"));
        let limits = take_reserve(ctx, &key("reserve"), &merged, draft.reserve.as_ref());
        let relay = into_relay(draft, limits);
        add_rows(&mut rows, &relay, &merged);
        relays.push(relay);
    }
    (relays, rows)
}

fn limits_of(ctx: &Context<'_>, draft: &Draft<'_>, key: &str) -> Vec<Merged> {
    let profile = draft.profile;
    if let Stated::NoLimits(at) = draft.stated {
        if !profile.limits_none {
            let what = if profile.ask.is_empty() {
                "its published limits hold".to_owned()
            } else {
                format!("ask it: {}", profile.ask)
            };
            ctx.error(at, key, format!("{} has limits; {what}", profile.label));
        }
        return Vec::new();
    }
    let merged = merge(ctx, key, &profile.limits, &draft.stated);
    let unmet: Vec<&str> = profile
        .needs
        .iter()
        .filter(|need| !is_met(**need, &merged))
        .map(|need| match need {
            Need::Day => "how many a day",
            Need::Rate => "how many a second",
            Need::Plan => "how many the plan allows",
        })
        .collect();
    if !unmet.is_empty() {
        ctx.error(
            draft.at,
            key,
            format!(
                "not known: {}. An unknown limit is not an unlimited one. Ask {}: {}",
                unmet.join(" and "),
                profile.label,
                profile.ask
            ),
        );
    }
    merged
}

fn is_met(need: Need, merged: &[Merged]) -> bool {
    merged.iter().any(|m| match need {
        Need::Day => matches!(
            m.limit.window,
            Window::Rolling { ms: 86_400_000 }
                | Window::Calendar { period: CalendarPeriod::Day, .. }
        ),
        Need::Rate => m.limit.keeper == Keeper::Pacer,
        Need::Plan => m.limit.keeper == Keeper::Ledger && m.source == LimitSource::Configuration,
    })
}

fn warn_of_bulk(ctx: &Context<'_>, draft: &Draft<'_>) {
    if !draft.profile.bulk_allowed {
        ctx.warn(
            draft.at,
            &format!("{}profile", draft.label),
            format!(
                "{} is not meant for bulk mail: its operator may lock the account, and with it the mail \
                 in it. Keep to small lists of people who know you, or use a relay made for bulk mail",
                draft.profile.label
            ),
        );
    }
}

/// Members of a group carry the same limits and reserve: who states none takes the group's.
fn share_in_groups(ctx: &Context<'_>, drafts: &mut [Draft<'_>]) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (n, draft) in drafts.iter().enumerate() {
        if let Some(group) = &draft.group {
            groups.entry(group.value.clone()).or_default().push(n);
        }
    }
    for (group, members) in groups {
        let first = members[0];
        for &n in &members[1..] {
            if drafts[n].profile.id != drafts[first].profile.id {
                ctx.error(
                    drafts[n].at,
                    &format!("{}quota_group", drafts[n].label),
                    format!(
                        "relay {:?} of group {group:?} has profile {:?}, relay {:?} has {:?}: one account \
                         has one operator",
                        drafts[first].name,
                        drafts[first].profile.id,
                        drafts[n].name,
                        drafts[n].profile.id
                    ),
                );
            }
        }
        share_limits(ctx, drafts, &group, &members);
        share_reserve(ctx, drafts, &group, &members);
    }
}

fn share_limits(ctx: &Context<'_>, drafts: &mut [Draft<'_>], group: &str, members: &[usize]) {
    let Some(&giver) = members.iter().find(|n| !matches!(drafts[**n].stated, Stated::Absent))
    else {
        return;
    };
    let given = comparable(&drafts[giver].stated);
    for &n in members {
        if matches!(drafts[n].stated, Stated::Absent) {
            drafts[n].stated = drafts[giver].stated.clone();
        } else if comparable(&drafts[n].stated) != given {
            ctx.error(
                drafts[n].at,
                &format!("{}limits", drafts[n].label),
                format!(
                    "differ from those of relay {:?} in the same quota_group {group:?}; a group is one \
                     account: give the limits once",
                    drafts[giver].name
                ),
            );
        }
    }
}

fn comparable(stated: &Stated) -> Vec<Limit> {
    match stated {
        Stated::Absent | Stated::NoLimits(_) => Vec::new(),
        Stated::List(list) => {
            let mut limits: Vec<Limit> = list.iter().map(|l| l.value.clone()).collect();
            limits.sort_by(|a, b| a.name.cmp(&b.name));
            limits
        }
    }
}

fn share_reserve(ctx: &Context<'_>, drafts: &mut [Draft<'_>], group: &str, members: &[usize]) {
    let given: Vec<At<i64>> = members.iter().filter_map(|n| drafts[*n].reserve.clone()).collect();
    let Some(first) = given.first() else { return };
    if let Some(other) = given.iter().find(|r| r.value != first.value) {
        ctx.error(
            other.at,
            "reserve",
            format!(
                "the relays of quota_group {group:?} keep back different parts, {} and {}; give it once",
                first.value, other.value
            ),
        );
    }
    for &n in members {
        drafts[n].reserve = Some(first.clone());
    }
}

/// What makes two relays plainly the same account: host and user (and the key, where the user name is everybody's).
fn account_of(draft: &Draft<'_>) -> Option<(String, String, String)> {
    let (username, password) = match &draft.auth {
        Auth::None => return None,
        Auth::Password { username, password } => (username, password.expose()),
        Auth::OAuth { username, .. } | Auth::TokenCommand { username, .. } => (username, ""),
    };
    let mut host = draft.endpoint.host.to_ascii_lowercase();
    if is_loopback(&host) {
        host = format!("{host}:{}", draft.endpoint.port);
    }
    let shared_name = draft.profile.username.as_deref() == Some(username.as_str());
    let password = if shared_name { password.to_owned() } else { String::new() };
    Some((host, username.to_lowercase(), password))
}

fn check_one_account_one_scope(ctx: &Context<'_>, drafts: &[Draft<'_>]) {
    for (n, draft) in drafts.iter().enumerate() {
        for earlier in &drafts[..n] {
            let same_group = match (&draft.group, &earlier.group) {
                (Some(a), Some(b)) => a.value == b.value,
                (Some(_), None) | (None, Some(_) | None) => false,
            };
            let key = format!("{}quota_group", draft.label);
            if same_group || matches!(draft.stated, Stated::NoLimits(_)) {
                continue;
            }
            let (one, two) = (&earlier.name, &draft.name);
            if account_of(draft).is_some() && account_of(draft) == account_of(earlier) {
                ctx.error(
                    draft.at,
                    &key,
                    format!(
                        "relays {one:?} and {two:?} log in as the same account, so they share its limits: \
                         give both the same quota_group = \"…\""
                    ),
                );
            } else if draft.profile.quota_scope == QuotaScope::Account
                && draft.profile.id == earlier.profile.id
                && draft.endpoint.host.eq_ignore_ascii_case(&earlier.endpoint.host)
                && !is_loopback(&draft.endpoint.host)
            {
                ctx.warn(
                    draft.at,
                    &key,
                    format!(
                        "{} counts for the whole account: if relays {one:?} and {two:?} belong to one \
                         customer account, give both the same quota_group = \"…\"",
                        draft.profile.label
                    ),
                );
            }
        }
    }
}

fn into_relay(draft: Draft<'_>, limits: Vec<Limit>) -> Relay {
    let mut reply_rules = draft.profile.replies.clone();
    for rule in &mut reply_rules {
        // A rule may speak of a limit that only the operator can know and has under another name: then all of
        // the relay counts as full.
        if rule.limit.as_ref().is_some_and(|name| !limits.iter().any(|l| l.name == *name)) {
            rule.limit = None;
        }
    }
    Relay {
        name: draft.name,
        profile: draft.profile.id.clone(),
        endpoint: draft.endpoint,
        ca_pem: draft.ca_pem,
        auth: draft.auth,
        senders: draft.senders,
        quota_group: draft.group.map(|g| g.value),
        limits,
        connections: draft.connections,
        max_message_bytes: draft.max_message_bytes,
        habits: draft.profile.habits,
        reply_rules,
        bulk_allowed: draft.profile.bulk_allowed,
    }
}

fn add_rows(rows: &mut Vec<EffectiveLimit>, relay: &Relay, merged: &[Merged]) {
    let scope = relay.limit_scope();
    for (limit, before) in relay.limits.iter().zip(merged) {
        let known = rows.iter_mut().find(|r| r.scope == scope && r.limit.name == limit.name);
        match known {
            Some(row) => row.relays.push(relay.name.clone()),
            None => rows.push(EffectiveLimit {
                scope: scope.clone(),
                relays: vec![relay.name.clone()],
                limit: limit.clone(),
                stated: before.limit.amount,
                source: before.source,
            }),
        }
    }
}
