//! What the handlers share: the store, the numbers, the clock, the engine's status and the maker of web views.

use crate::exporter::Exporter;
use crate::public::{hook, open};
use postroad_feedback::webhook::Hooks;
use postroad_metrics::Metrics;
use postroad_model::token::LinkToken;
use postroad_model::{Clock, Timestamp};
use postroad_store::Store;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Where the engine of this process stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineState {
    /// This process has none and serves pages only.
    Absent,
    /// It takes its lanes.
    #[default]
    Starting,
    /// It works.
    Running,
    /// It awaits what is on the wire and ends.
    Draining,
    /// It ended, wanted or not.
    Stopped,
}

/// What the engine says about itself; `cli` keeps it up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineStatus {
    /// Where it stands.
    pub state: EngineState,
    /// Lanes that the configuration names.
    pub lanes_configured: usize,
    /// Lanes that this process holds.
    pub lanes_held: usize,
}

type Viewing = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// Makes the HTML of a message from its link; `None` when it can no longer be made.
#[derive(Clone)]
pub struct View(Arc<dyn Fn(LinkToken) -> Viewing + Send + Sync>);

impl View {
    /// From an async function.
    pub fn new<F, O>(make: F) -> Self
    where
        F: Fn(LinkToken) -> O + Send + Sync + 'static,
        O: Future<Output = Option<String>> + Send + 'static,
    {
        Self(Arc::new(move |token| Box::pin(make(token))))
    }

    pub(crate) async fn html(&self, token: LinkToken) -> Option<String> {
        (self.0)(token).await
    }
}

/// Everything that the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) engine: watch::Receiver<EngineStatus>,
    pub(crate) view: View,
    pub(crate) exporter: Arc<Exporter>,
    pub(crate) min_inbox: Option<f64>,
    pub(crate) hooks: Option<Arc<Hooks>>,
    pub(crate) hook_places: Arc<Semaphore>,
    pub(crate) open_places: Arc<Semaphore>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        engine: watch::Receiver<EngineStatus>,
        view: View,
    ) -> Self {
        let hook_places = Arc::new(Semaphore::new(hook::AT_ONCE));
        let open_places = Arc::new(Semaphore::new(open::AT_ONCE));
        let exporter = Arc::default();
        Self {
            store,
            metrics,
            clock,
            engine,
            view,
            exporter,
            min_inbox: None,
            hooks: None,
            hook_places,
            open_places,
        }
    }

    /// With webhooks behind `/hook/NAME`.
    #[must_use]
    pub fn with_hooks(self, hooks: Arc<Hooks>) -> Self {
        Self { hooks: Some(hooks), ..self }
    }

    /// With the inbox rate that is wanted of campaigns that name none themselves: a line on the dashboards.
    #[must_use]
    pub fn with_min_inbox(self, rate: f64) -> Self {
        Self { min_inbox: Some(rate), ..self }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
