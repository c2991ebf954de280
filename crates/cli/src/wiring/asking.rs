//! Asks DNS, where the configuration names servers: who hosts the mailboxes of contacts, and whether what receivers look for
//! is published of the sending domains.

use anyhow::Result;
use postroad_campaign::look_up_providers;
use postroad_config::DnsServers;
use postroad_dkim::KeyRing;
use postroad_dns::{Check, Checked, Dns, Error, Expected, Servers};
use postroad_metrics::{Metrics, Preflight, PreflightCheck};
use postroad_model::relay::SendingDomain;
use postroad_model::{Clock, Domain, NodeId};
use postroad_store::{Store, StoreClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often new contacts are looked for.
const LOOK: Duration = Duration::from_secs(60);

/// How often the sending domains are checked: records change rarely, and a lost one must be seen.
const CHECK: Duration = Duration::from_secs(3_600);

/// A resolver as the configuration has it.
///
/// # Errors
/// When the system does not tell its servers.
pub fn resolver(servers: &DnsServers) -> Result<Dns> {
    let servers = match servers {
        DnsServers::System => Servers::System,
        DnsServers::These(list) => Servers::These(list.clone()),
    };
    Ok(Dns::new(&servers)?)
}

/// What is published of a sending domain, held against what should be.
///
/// # Errors
/// When no server gave a sure answer.
pub async fn preflight(
    dns: &Dns,
    domain: &SendingDomain,
    ring: &KeyRing,
) -> Result<Vec<Checked>, Error> {
    let records = ring.records(&domain.name).into_iter().map(|r| (r.name, r.value));
    let expected = Expected {
        domain: &domain.name,
        bounce_domain: domain.bounce_domain.as_ref(),
        keys: records.collect(),
    };
    dns.preflight(&expected).await
}

/// The tasks that ask. Providers are asked for by one of several nodes at a time, domains by each, for its own metrics.
pub struct Asking {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What the sending domains are checked with.
pub struct Checking {
    /// The domains.
    pub domains: Vec<SendingDomain>,
    /// Their keys.
    pub keys: KeyRing,
    /// Who publishes what was found.
    pub metrics: Arc<Metrics>,
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
        checking: Option<Checking>,
    ) -> Result<Self> {
        let dns = Arc::new(resolver(servers)?);
        let stop = CancellationToken::new();
        let mut tasks = vec![tokio::spawn(ask(dns.clone(), store, node, clock, stop.clone()))];
        tasks.extend(checking.map(|c| tokio::spawn(check(dns, c, stop.clone()))));
        Ok(Self { stop, tasks })
    }

    /// Ends it; an answer that is awaited is asked for again at the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "look-ups in DNS ended with a fault");
            }
        }
    }
}

async fn ask(
    dns: Arc<Dns>,
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

/// Checks the domains for ever; what is not sure is not published.
async fn check(dns: Arc<Dns>, checking: Checking, stop: CancellationToken) {
    let Checking { domains, keys, metrics } = checking;
    // Said when it changes.
    let mut failing: Vec<(Domain, Check)> = Vec::new();
    loop {
        let mut seen = Vec::new();
        let mut failed = Vec::new();
        for domain in &domains {
            let checked = tokio::select! {
                () = stop.cancelled() => return,
                checked = preflight(&dns, domain, &keys) => checked,
            };
            let checked = checked.unwrap_or_else(|error| {
                tracing::warn!(%error, domain = %domain.name, "a sending domain cannot be checked");
                Vec::new()
            });
            for Checked { check, passed, said } in checked {
                let this = (domain.name.clone(), check);
                if !passed && !failing.contains(&this) {
                    tracing::warn!(domain = %domain.name, "{said}");
                }
                failed.extend((!passed).then_some(this));
                let domain = domain.name.to_string();
                seen.push(Preflight { domain, check: label(check), passed });
            }
        }
        failing = failed;
        metrics.preflight(&seen);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(CHECK) => {}
        }
    }
}

fn label(check: Check) -> PreflightCheck {
    match check {
        Check::Spf => PreflightCheck::Spf,
        Check::Dkim => PreflightCheck::Dkim,
        Check::Dmarc => PreflightCheck::Dmarc,
        Check::Mx => PreflightCheck::Mx,
    }
}
