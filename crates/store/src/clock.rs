//! The time that all statements and leases use: the database's, where there is a server.
//!
//! Sampled at each heartbeat and extended by the node's boot-time clock in between; it never goes back. On SQLite
//! it is the given clock alone. All nodes of one PostgreSQL so agree to a few milliseconds, whatever their own
//! clocks say.

use crate::{Result, Store};
use postroad_model::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The database's time on this node.
pub struct StoreClock {
    base: Arc<dyn Clock>,
    offset_ms: AtomicI64,
    last: AtomicI64,
}

impl StoreClock {
    /// A clock that runs like `base` until the first sample.
    #[must_use]
    pub fn new(base: Arc<dyn Clock>) -> Self {
        Self { base, offset_ms: AtomicI64::new(0), last: AtomicI64::new(i64::MIN) }
    }

    /// Asks the server for its time.
    ///
    /// # Errors
    /// The database's; the clock then goes on as it was.
    pub async fn sample(&self, store: &Store) -> Result<()> {
        let before = self.base.now();
        if let Some(server) = store.database_time().await? {
            let after = self.base.now();
            let middle = before.0 + after.since_ms(before) / 2;
            self.offset_ms.store(server.0 - middle, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let now = self.base.now().0 + self.offset_ms.load(Ordering::Relaxed);
        Timestamp(now.max(self.last.fetch_max(now, Ordering::Relaxed)))
    }
}
