//! The system clock: the only place of the program that reads a clock.
//!
//! The wall clock is read once, at the start; from then on the boot-time clock counts (CLOCK_BOOTTIME, which goes on
//! while the machine sleeps), so that a step of the wall clock moves no quota window. With PostgreSQL the database's
//! time replaces the wall clock's (`follow`). What must always hold: `now` never goes back. A disagreement of wall
//! and boot-time clock is reported, not corrected: the operator says which is right.

use postroad_model::{Clock, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// Wall clock at the start, boot-time clock afterwards.
#[derive(Debug)]
pub struct SystemClock {
    /// Wall clock less boot-time clock at the start.
    wall_offset: i64,
    /// Added to the boot-time clock.
    offset: AtomicI64,
    /// The latest time that was given out.
    latest: AtomicI64,
}

impl SystemClock {
    /// Starts from the wall clock.
    pub fn start() -> Self {
        let wall_offset = wall_ms() - boot_ms();
        let (offset, latest) = (AtomicI64::new(wall_offset), AtomicI64::new(i64::MIN));
        Self { wall_offset, offset, latest }
    }

    /// By how much the wall clock has left the boot-time clock since the start, in milliseconds.
    pub fn disagreement_ms(&self) -> i64 {
        wall_ms() - boot_ms() - self.wall_offset
    }

    /// Takes over the database's time; a step back makes `now` stand still until it is reached.
    pub fn follow(&self, database: Timestamp) {
        self.offset.store(database.0 - boot_ms(), Ordering::Relaxed);
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = boot_ms() + self.offset.load(Ordering::Relaxed);
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

fn boot_ms() -> i64 {
    let t = clock_gettime(ClockId::Boottime);
    t.tv_sec * 1_000 + t.tv_nsec / 1_000_000
}

#[expect(clippy::disallowed_methods, reason = "this is the system clock")]
fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A machine whose clock stands before 1970 has no time worth naming.
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_the_wall_clock_and_never_goes_back() {
        let clock = SystemClock::start();
        let first = clock.now();
        assert!((wall_ms() - first.0).abs() < 5_000);
        assert!(clock.disagreement_ms().abs() < 5_000);
        clock.follow(Timestamp(first.0 - 3_600_000));
        assert!(clock.now() >= first);
        clock.follow(Timestamp(first.0 + 3_600_000));
        assert!(clock.now().0 >= first.0 + 3_600_000);
    }
}
