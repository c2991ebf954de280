//! Registry of nodes, relays and pools: names from the configuration become ids that rows can hold.

use crate::backend::{Named, read, tx};
use crate::sql::sql;
use crate::{Result, Store};
use postroad_model::{NodeId, PoolId, RelayId, Timestamp};
use std::collections::BTreeMap;

sql! {
    both NODE_INSERT = "node_insert";
    both NODE_STOP = "node_stop";
    both NODE_HEARTBEAT = "node_heartbeat";
    both NODES_HEARD = "nodes_heard";
    both RELOAD_ANSWER = "reload_answer";
    both RELOAD_ANSWERED = "reload_answered";
    both RELAY_INSERT = "relay_insert";
    both RELAY_IDS = "relay_ids";
    both POOL_INSERT = "pool_insert";
    both POOL_IDS = "pool_ids";
    each DATABASE_TIME = "database_time";
}

/// A node whose last heartbeat is older is not alive: nodes beat every third of their lease, which is ten minutes at most.
pub(crate) const SILENT_MS: i64 = 240_000;

impl Store {
    /// Registers a starting node.
    ///
    /// # Errors
    /// The database's.
    pub async fn register_node(&self, name: &str, version: &str, now: Timestamp) -> Result<NodeId> {
        tx!(self, |c, e| {
            sqlx::query_scalar::<_, i64>(NODE_INSERT.of(e))
                .bind(name)
                .bind(version)
                .bind(now.0)
                .fetch_one(&mut *c)
                .await
                .named(&NODE_INSERT)
                .map(NodeId)
        })
    }

    /// Says that a node ended in order: it is not alive from now on, instead of minutes after its last heartbeat.
    ///
    /// # Errors
    /// The database's.
    pub async fn stop_node(&self, node: NodeId, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(NODE_STOP.of(e))
                .bind(node.0)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&NODE_STOP)
                .map(drop)
        })
    }

    /// Says that a node is alive.
    ///
    /// # Errors
    /// The database's.
    pub async fn node_heartbeat(&self, node: NodeId, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(NODE_HEARTBEAT.of(e))
                .bind(node.0)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&NODE_HEARTBEAT)
                .map(drop)
        })
    }

    /// Names of the nodes that are alive, as [`Store::nodes_alive`] says.
    ///
    /// # Errors
    /// The database's.
    pub async fn nodes_heard(&self, now: Timestamp) -> Result<Vec<String>> {
        read!(self, |c, e| {
            sqlx::query_scalar(NODES_HEARD.of(e))
                .bind(now.0 - SILENT_MS)
                .fetch_all(&mut *c)
                .await
                .named(&NODES_HEARD)
        })
    }

    /// Keeps what a node says of a reload, in place of what it said before.
    ///
    /// # Errors
    /// The database's.
    pub async fn answer_reload(&self, node: &str, answer: &str, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(RELOAD_ANSWER.of(e))
                .bind(now.0)
                .bind(reload_key(node))
                .bind(answer)
                .execute(&mut *c)
                .await
                .named(&RELOAD_ANSWER)
                .map(drop)
        })
    }

    /// When a node last said something of a reload, and what.
    ///
    /// # Errors
    /// The database's.
    pub async fn reload_answer(&self, node: &str) -> Result<Option<(Timestamp, String)>> {
        let found: Option<(i64, String)> = read!(self, |c, e| {
            sqlx::query_as(RELOAD_ANSWERED.of(e))
                .bind(reload_key(node))
                .fetch_optional(&mut *c)
                .await
                .named(&RELOAD_ANSWERED)
        })?;
        Ok(found.map(|(at, answer)| (Timestamp(at), answer)))
    }

    /// The ids of relays by name; names not seen before get one.
    ///
    /// # Errors
    /// The database's.
    pub async fn register_relays(&self, names: &[String]) -> Result<BTreeMap<String, RelayId>> {
        tx!(self, |c, e| {
            for name in names {
                sqlx::query(RELAY_INSERT.of(e))
                    .bind(name)
                    .execute(&mut *c)
                    .await
                    .named(&RELAY_INSERT)?;
            }
            let rows: Vec<(String, i64)> =
                sqlx::query_as(RELAY_IDS.of(e)).fetch_all(&mut *c).await.named(&RELAY_IDS)?;
            Ok(rows.into_iter().map(|(name, id)| (name, RelayId(id))).collect())
        })
    }

    /// The ids of pools by name; names not seen before get one.
    ///
    /// # Errors
    /// The database's.
    pub async fn register_pools(&self, names: &[String]) -> Result<BTreeMap<String, PoolId>> {
        tx!(self, |c, e| {
            for name in names {
                sqlx::query(POOL_INSERT.of(e))
                    .bind(name)
                    .execute(&mut *c)
                    .await
                    .named(&POOL_INSERT)?;
            }
            let rows: Vec<(String, i64)> =
                sqlx::query_as(POOL_IDS.of(e)).fetch_all(&mut *c).await.named(&POOL_IDS)?;
            Ok(rows.into_iter().map(|(name, id)| (name, PoolId(id))).collect())
        })
    }

    /// All registered relays, by id.
    ///
    /// # Errors
    /// The database's.
    pub async fn relay_names(&self) -> Result<BTreeMap<RelayId, String>> {
        read!(self, |c, e| {
            let rows: Vec<(String, i64)> =
                sqlx::query_as(RELAY_IDS.of(e)).fetch_all(&mut *c).await.named(&RELAY_IDS)?;
            Ok(rows.into_iter().map(|(name, id)| (RelayId(id), name)).collect())
        })
    }

    /// The database server's time; `None` on SQLite, whose time is the process's clock.
    ///
    /// # Errors
    /// The database's.
    pub async fn database_time(&self) -> Result<Option<Timestamp>> {
        read!(self, |c, e| {
            sqlx::query_scalar::<_, Option<i64>>(DATABASE_TIME.of(e))
                .fetch_one(&mut *c)
                .await
                .named(&DATABASE_TIME)
                .map(|ms| ms.map(Timestamp))
        })
    }
}

fn reload_key(node: &str) -> String {
    format!("reload:{node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores::stores;

    const NOW: Timestamp = Timestamp(1_796_000_000_000);

    #[tokio::test]
    async fn a_node_that_ended_in_order_is_not_alive() {
        for (store, _guard) in stores().await {
            let one = store.register_node("one", "0", NOW).await.unwrap();
            store.register_node("two", "0", NOW).await.unwrap();
            let alive = async || store.nodes_alive(NOW).await.unwrap();
            assert_eq!(alive().await, 2);
            store.stop_node(one, NOW).await.unwrap();
            assert_eq!(alive().await, 1);
        }
    }

    #[tokio::test]
    async fn a_node_is_alive_between_the_heartbeats_of_the_longest_lease() {
        for (store, _guard) in stores().await {
            store.register_node("one", "0", NOW).await.unwrap();
            let alive = async |ms: i64| {
                let now = NOW.plus_ms(ms);
                let heard = store.nodes_heard(now).await.unwrap();
                (store.nodes_alive(now).await.unwrap(), heard.len())
            };
            // A third of ten minutes, and the time that a beat takes.
            assert_eq!(alive(239_999).await, (1, 1));
            assert_eq!(alive(240_000).await, (0, 0));
        }
    }
}
