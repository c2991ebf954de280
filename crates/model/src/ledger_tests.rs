//! The laws of the ledger: tests of `ledger`, apart because the arithmetic and its properties fill a file each.

use super::*;
use crate::limit::{Keeper, LimitUnit};
use proptest::prelude::*;

fn rolling(amount: i64, ms: i64) -> Limit {
    Limit {
        name: "test".into(),
        amount,
        unit: LimitUnit::Recipients,
        window: Window::Rolling { ms },
        keeper: Keeper::Ledger,
    }
}

fn day(amount: i64, zone: &str) -> Limit {
    Limit::calendar("day", amount, LimitUnit::Recipients, CalendarPeriod::Day, zone)
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().unwrap())
}

#[test]
fn a_full_rolling_window_frees_when_its_oldest_slot_can_no_longer_overlap() {
    let limit = rolling(10, 60_000);
    let mut book = Book::new();
    let t0 = Timestamp(1_000_000);
    book.reserve(&limit, t0, 10).unwrap();
    let free = book.free(&limit, t0).unwrap();
    assert_eq!(free.amount, 0);
    let frees = free.frees_at.unwrap();
    assert_eq!(book.free(&limit, frees.plus_ms(-1)).unwrap().amount, 0);
    assert_eq!(book.free(&limit, frees).unwrap().amount, 10);
    assert!(frees.since_ms(t0) > 60_000 && frees.since_ms(t0) <= 75_000);
}

#[test]
fn a_reservation_lapses_before_its_sub_window_ends() {
    let limit = rolling(10, 60_000);
    let r = Book::new().reserve(&limit, Timestamp(1_000_000), 1).unwrap();
    assert_eq!(r.use_by, Timestamp(1_005_000 - 500));
}

#[test]
fn the_book_never_moves_back_when_the_clock_does() {
    let limit = rolling(10, 60_000);
    let mut book = Book::new();
    book.reserve(&limit, Timestamp(1_000_000), 6).unwrap();
    assert_eq!(book.free(&limit, Timestamp(500_000)).unwrap().amount, 4);
}

#[test]
fn a_late_reply_is_counted_in_each_later_slot_too() {
    let limit = rolling(10, 60_000);
    let mut book = Book::new();
    let r = book.reserve(&limit, Timestamp(1_000_000), 2).unwrap();
    book.count_late(&limit, &r, Timestamp(1_011_000), 2).unwrap();
    assert_eq!(book.used(&limit, Timestamp(1_011_000)).unwrap(), 6);
}

#[test]
fn a_refusal_closes_the_day_for_an_hour_then_probes_with_one_and_doubles() {
    let limit = rolling(500, 86_400_000);
    let mut book = Book::new();
    let t0 = at("2026-11-21T10:00:00Z");
    book.mark_full(&limit, t0).unwrap();
    assert_eq!(book.free(&limit, t0.plus_ms(3_599_999)).unwrap().amount, 0);
    let t1 = t0.plus_ms(3_600_000);
    let free = book.free(&limit, t1).unwrap();
    assert_eq!((free.amount, free.probe), (1, true));
    book.reserve(&limit, t1, 1).unwrap();
    assert_eq!(book.free(&limit, t1.plus_ms(1)).unwrap().amount, 0, "one probe at a time");
    let until = book.mark_full(&limit, t1.plus_ms(10)).unwrap();
    assert_eq!(until.since_ms(t1), 7_200_010);
    book.clear_full();
    assert_eq!(book.free(&limit, t1.plus_ms(20)).unwrap().amount, 499);
}

#[test]
fn a_calendar_day_counts_both_days_near_midnight_and_follows_daylight_saving() {
    let limit = day(100, "America/New_York");
    // 1 Nov 2026 has 25 hours there.
    let before = at("2026-11-01T03:59:30Z");
    let mut book = Book::new();
    let r = book.reserve(&limit, before, 10).unwrap();
    assert!(r.also.is_some());
    assert_eq!(book.free(&limit, at("2026-11-01T12:00:00Z")).unwrap().amount, 90);
    assert_eq!(book.free(&limit, at("2026-11-02T04:30:00Z")).unwrap().amount, 90, "still 1 Nov");
    assert_eq!(book.free(&limit, at("2026-11-02T05:01:00Z")).unwrap().amount, 100);
}

#[test]
fn a_used_up_month_frees_a_margin_after_its_end() {
    let mut limit = day(5, "Asia/Ho_Chi_Minh");
    limit.window =
        Window::Calendar { period: CalendarPeriod::Month, zone: "Asia/Ho_Chi_Minh".into() };
    let mut book = Book::new();
    let now = at("2026-11-21T10:00:00Z");
    book.reserve(&limit, now, 5).unwrap();
    let free = book.free(&limit, now).unwrap();
    assert_eq!(free.frees_at, Some(at("2026-11-30T17:01:00Z")));
    assert_eq!(book.free(&limit, free.frees_at.unwrap()).unwrap().amount, 5);
}

#[test]
fn an_unknown_zone_is_an_error_and_no_panic() {
    let limit = day(5, "Mars/Olympus");
    assert_eq!(
        Book::new().free(&limit, Timestamp(0)),
        Err(LedgerError::UnknownZone("Mars/Olympus".into()))
    );
}

/// One RCPT as the relay sees it.
#[derive(Debug, Clone)]
struct Step {
    wait_ms: i64,
    want: i64,
    flight_ms: i64,
    unused: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(
        (0_i64..9_000, 1_i64..8, 0_i64..14_000, 0_i64..4).prop_map(
            |(wait_ms, want, flight_ms, unused)| Step { wait_ms, want, flight_ms, unused },
        ),
        1..120,
    )
}

proptest! {
    /// RCPTs are written at the last moment that their reservation allows and take up to two sub-windows more
    /// to arrive; no sliding window at the relay may hold more than the amount.
    #[test]
    fn no_sliding_window_at_the_relay_passes_the_amount(steps in steps(), amount in 1_i64..30) {
        let limit = rolling(amount, 60_000);
        let mut book = Book::new();
        let mut now = Timestamp(10_000_000);
        let mut arrivals: Vec<i64> = Vec::new();
        for step in steps {
            now = now.plus_ms(step.wait_ms);
            let free = book.free(&limit, now).unwrap();
            let n = step.want.min(free.amount);
            if n == 0 { continue; }
            let r = book.reserve(&limit, now, n).unwrap();
            let used = n - step.unused.min(n);
            book.release(&r, n - used);
            let written = r.use_by.0 - 1;
            if written < now.0 { book.release(&r, used); continue; }
            // The answer is known before anything else is decided, as for a lock-step connection.
            let arrived = written + step.flight_ms;
            now = Timestamp(arrived.max(now.0));
            book.count_late(&limit, &r, now, used).unwrap();
            arrivals.extend(std::iter::repeat_n(arrived, usize::try_from(used).unwrap()));
        }
        arrivals.sort_unstable();
        for (i, start) in arrivals.iter().enumerate() {
            let inside = arrivals[i..].iter().take_while(|t| **t < start + 60_000).count();
            prop_assert!(inside as i64 <= amount, "{inside} in the window from {start}");
        }
    }
}

#[test]
fn nothing_is_reserved_that_would_lapse_at_once() {
    let limit = rolling(60, 600_000);
    let mut book = Book::new();
    let check = |book: &mut Book, ms, closed_until: Option<i64>| {
        let now = Timestamp(ms);
        assert_eq!(book.closed_until(&limit, now), closed_until.map(Timestamp), "{ms}");
        let use_by = book.reserve(&limit, now, 1).unwrap().use_by;
        assert_eq!(use_by <= now, closed_until.is_some(), "{ms}");
    };
    // Sub-windows of 30 s, the last 3 s of each are closed.
    check(&mut book, 300_000, None);
    check(&mut book, 326_999, None);
    check(&mut book, 327_000, Some(330_000));
    check(&mut book, 329_999, Some(330_000));
    check(&mut book, 330_000, None);
}
