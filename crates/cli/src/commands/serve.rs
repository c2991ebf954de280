//! `serve`: engine, unsubscribes and metrics in one process, until SIGTERM; SIGHUP reads the configuration anew.

use super::reload::Answer;
use crate::app::{App, Opened, Runs};
use crate::args::ServeArgs;
use crate::exit::{Exit, Fault, message};
use crate::signals::{self, Reloads};
use crate::sinks::Sinks;
use crate::wiring;
use crate::wiring::engine::{self, Running};
use crate::wiring::feedback::feedback;
use crate::wiring::ways::{Ways, check_listener, check_ways, hooks};
use anyhow::Result;
use postroad_config::Config;
use postroad_delivery::core::Wait;
use postroad_metrics::Metrics;
use postroad_model::{Clock, RelayId};
use postroad_store::ServeWhich;
use postroad_web::{EngineState, EngineStatus, Listeners};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A clock that leaves the other by more than this holds the operator's attention.
const CLOCKS_APART_MS: i64 = 30_000;
/// How often the clocks are compared.
const CLOCKS_LOOK: Duration = Duration::from_secs(60);

pub async fn run(app: &App, args: &ServeArgs) -> Result<Exit> {
    let mut config = app.config(Runs::Long)?;
    let clock: Arc<dyn Clock> = app.clock.clone();
    if let Some(error) = check_ways(&config, &clock).first() {
        return Err(Fault::new(Exit::Config, message(error)).into());
    }
    let stop = signals::stop(app.output)?;
    let reloads = Reloads::listen()?;
    // A taken port stops the start before anything is sent.
    let listeners = Listeners::bind(Some(config.web.public_listen), config.web.admin_listen)
        .await
        .map_err(|error| Fault::new(Exit::Unavailable, message(&error.into())))?;
    if let Err(error) = check_listener(&config) {
        let text = format!("bounce_listener.listen cannot be listened on: {error}");
        return Err(Fault::new(Exit::Unavailable, text).into());
    }
    let sinks = Sinks::start(&mut config, &app.clock).await?;
    let opened = app.open_with(config).await?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let first = if args.no_engine { EngineState::Absent } else { EngineState::Starting };
    let (status, statuses) =
        watch::channel(EngineStatus { state: first, ..EngineStatus::default() });
    let view = wiring::view::view(opened.store.clone(), opened.setup.clone());
    let web = postroad_web::App::new(
        opened.store.clone(),
        metrics.clone(),
        app.clock.clone(),
        statuses,
        view,
    );
    let (running, taker) = if args.no_engine {
        let registry = opened.register(app.now()).await?;
        (None, feedback(&opened, &registry, Some(metrics.clone())))
    } else {
        let running = engine::start(app, &opened, ServeWhich::All, Some(metrics.clone())).await?;
        let taker = running.feedback.clone();
        (Some(running), taker)
    };
    let web = web.with_min_inbox(opened.config.placement.wanted_inbox());
    let web = match hooks(&opened.config, &taker)? {
        Some(hooks) => web.with_hooks(hooks),
        None => web,
    };
    let ways = match &running {
        Some(r) => Some(Ways::start(&opened.config, &taker, r.node, r.clock.clone()).await?),
        None => None,
    };
    announce(app, &listeners, running.is_some());
    let ended = CancellationToken::new();
    let pages = tokio::spawn(listeners.serve(web, ended.clone().cancelled_owned()));
    let started = opened.config.clone();
    let mut serving = Serving { app, opened, started, reloads, running, status, metrics };
    serving.until(&stop).await;
    // Pages are served, and what comes back is taken, until the last answer of a relay is in.
    serving.drain().await;
    if let Some(ways) = ways {
        ways.stop().await;
    }
    ended.cancel();
    if let Err(error) = pages.await {
        tracing::error!(%error, "the listeners ended with a fault");
    }
    sinks.shutdown().await;
    serving.opened.close().await;
    Ok(Exit::Ok)
}

fn announce(app: &App, listeners: &Listeners, sends: bool) {
    let public = listeners.public_address().map(|a| a.to_string()).unwrap_or_default();
    let admin = listeners.admin_address();
    let sends = if sends { "sends what is due" } else { "sends nothing" };
    app.output.say(format!(
        "postroad serves: {sends}; unsubscribes on http://{public}, metrics on http://{admin}/metrics"
    ));
}

struct Serving<'a> {
    app: &'a App,
    opened: Opened,
    /// The configuration of the start.
    started: Config,
    reloads: Reloads,
    running: Option<Running>,
    status: watch::Sender<EngineStatus>,
    metrics: Arc<Metrics>,
}

impl Serving<'_> {
    async fn until(&mut self, stop: &CancellationToken) {
        let mut clocks = tokio::time::interval(CLOCKS_LOOK);
        let mut snapshots = self.running.as_ref().map(|r| r.engine.watch());
        loop {
            self.publish();
            let changed = async {
                match &mut snapshots {
                    // An engine that is gone changes no more.
                    Some(watched) => match watched.changed().await {
                        Ok(()) => tokio::time::sleep(Duration::from_millis(200)).await,
                        Err(_) => std::future::pending().await,
                    },
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.reloads.next() => self.reload().await,
                () = changed => {}
                _ = clocks.tick() => self.compare_clocks(),
            }
        }
    }

    /// Brings health and metrics up to what the engine says of itself.
    fn publish(&self) {
        let Some(running) = &self.running else { return };
        let snapshot = running.engine.snapshot();
        let held = snapshot.waits.iter().filter(|(_, w)| *w != Wait::Lost).count();
        let pooled =
            |name: &String| self.opened.config.pools.iter().any(|p| p.relays.contains(name));
        let configured = running.relays.keys().filter(|name| pooled(name)).count();
        let status = EngineStatus {
            state: EngineState::Running,
            lanes_configured: configured,
            lanes_held: held,
        };
        self.status.send_if_modified(|old| std::mem::replace(old, status) != status);
        let names: HashMap<RelayId, &String> =
            running.relays.iter().map(|(name, id)| (*id, name)).collect();
        for (relay, open) in &snapshot.connections {
            if let Some(name) = names.get(relay) {
                wiring::observe::connections(&self.metrics, name, *open);
            }
        }
    }

    fn compare_clocks(&self) {
        let apart = self.app.clock.disagreement_ms();
        if apart.abs() > CLOCKS_APART_MS {
            tracing::warn!(
                apart_ms = apart,
                "the wall clock was set while postroad runs; it goes on by the boot-time clock until a restart"
            );
        }
    }

    /// SIGHUP: limits take effect now, the rest at the next start. What came of it is kept for `reload` to read.
    async fn reload(&mut self) {
        let answer = match self.app.load() {
            Ok(newer) => self.take_over(newer).await,
            Err(error) => {
                let error = message(&error);
                tracing::error!(error, "the configuration was not reloaded");
                Answer { error: Some(error), ..Answer::default() }
            }
        };
        if let Err(error) = answer.keep(&self.opened.store, self.app.now()).await {
            let error = message(&error);
            tracing::warn!(
                error,
                "what came of the reload could not be kept for the one who asked"
            );
        }
    }

    async fn take_over(&mut self, mut newer: Config) -> Answer {
        for sink in newer.sinks() {
            if let Some(old) = self.opened.config.relay(&sink.name) {
                sink.endpoint = old.endpoint.clone();
            }
        }
        let changes = self.opened.config.diff(&newer);
        // Of all reloads since the start, not of this one alone.
        let needs_restart = self.started.diff(&newer).at_start();
        if changes.is_empty() {
            tracing::info!("the configuration has not changed");
            return Answer { needs_restart, ..Answer::default() };
        }
        let config = std::mem::replace(&mut self.opened.config, newer);
        match self.opened.register(self.app.now()).await {
            Ok(_) => {
                if let Some(running) = &self.running {
                    let relays = &self.opened.config.relays;
                    for (id, relay) in engine::reloaded(relays, &running.relays) {
                        running.engine.reload(id, relay);
                    }
                }
                tracing::info!(?changes, "the configuration is reloaded");
                if !needs_restart.is_empty() {
                    let keys = needs_restart.join(", ");
                    tracing::warn!(keys, "some of it takes effect at the next start");
                }
                Answer { changed: true, taken_over: changes.at_once(), needs_restart, error: None }
            }
            Err(error) => {
                self.opened.config = config;
                let error = message(&error);
                tracing::error!(error, "the new limits could not be stored; nothing changed");
                Answer { error: Some(error), ..Answer::default() }
            }
        }
    }

    async fn drain(&mut self) {
        let draining = |old: &mut EngineStatus| old.state = EngineState::Draining;
        if let Some(running) = self.running.take() {
            self.status.send_modify(draining);
            running.stop().await;
            self.status.send_modify(|old| old.state = EngineState::Stopped);
        }
    }
}
