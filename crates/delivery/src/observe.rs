//! What the engine tells to whoever counts: the exporter in production, nobody in tests.

use postroad_model::delivery::DeliveryState;
use postroad_store::Settlement;

/// Takes observations; must not block.
pub trait Observe: Send + Sync + 'static {
    /// A settlement is durable and gave its row this state.
    fn settled(&self, settlement: &Settlement, state: DeliveryState);
}

/// Counts nothing.
pub struct Unobserved;

impl Observe for Unobserved {
    fn settled(&self, _: &Settlement, _: DeliveryState) {}
}
