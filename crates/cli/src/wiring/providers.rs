//! Asks DNS who hosts the mailboxes of contacts, beside the engine, where the configuration names servers.

use anyhow::Result;
use postroad_campaign::look_up_providers;
use postroad_config::DnsServers;
use postroad_dns::{Dns, Servers};
use postroad_model::{Clock, NodeId};
use postroad_store::{Store, StoreClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often new contacts are looked for.
const LOOK: Duration = Duration::from_secs(60);

/// The task that asks; of several nodes one does it at a time.
pub struct Asking {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Asking {
    /// To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the system does not tell its servers.
    pub fn start(
        servers: &DnsServers,
        store: Arc<Store>,
        node: NodeId,
        clock: Arc<StoreClock>,
    ) -> Result<Self> {
        let servers = match servers {
            DnsServers::System => Servers::System,
            DnsServers::These(list) => Servers::These(list.clone()),
        };
        let dns = Dns::new(&servers)?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(ask(dns, store, node, clock, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Ends it; an answer that is awaited is asked for again at the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the look-ups of mailbox providers ended with a fault");
        }
    }
}

async fn ask(
    dns: Dns,
    store: Arc<Store>,
    node: NodeId,
    clock: Arc<StoreClock>,
    stop: CancellationToken,
) {
    let now = || clock.now();
    let mut failing = false;
    loop {
        let step = look_up_providers(&store, node, &now, |domain| {
            let dns = &dns;
            async move { dns.provider(&domain).await }
        });
        let step = tokio::select! {
            () = stop.cancelled() => return,
            step = step => step,
        };
        match step {
            Ok(None) => {}
            Ok(Some(done)) => {
                let away = done.failed > 0 && done.answered == 0;
                if away && !failing {
                    tracing::warn!("no DNS server answers; mailbox providers stay as they are");
                }
                failing = away;
                if done.answered + done.contacts > 0 {
                    let (domains, contacts) = (done.answered, done.contacts);
                    tracing::info!(domains, contacts, "looked up who hosts mailboxes");
                }
            }
            Err(error) => tracing::warn!(%error, "mailbox providers cannot be looked up"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
