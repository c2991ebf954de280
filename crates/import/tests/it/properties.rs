//! Whatever the octets are: no panic, and every row is counted once.

use crate::world::{one, options, stream};
use postroad_import::import_contacts;
use proptest::prelude::*;

/// Octets that look like CSV often enough to get far.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"email,name\n".to_vec()),
        Just(b"an@b.vn,\"An\"".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b",".to_vec()),
        Just(b";".to_vec()),
        Just("binh@b.vn,Bình\n".as_bytes().to_vec()),
        Just(b"\xFF\xFE".to_vec()),
        Just(b"\x1F\x8B\x08".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    let header = prop_oneof![Just(b"email,name\n".to_vec()), Just(Vec::new())];
    (header, prop::collection::vec(piece, 0..40)).prop_map(|(h, p)| [h, p.concat()].concat())
}

#[test]
fn rows_add_up_whatever_the_octets_are() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(one());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        ..ProptestConfig::default()
    });
    runner
        .run(&octets(), |octets| {
            let options = options();
            let result = runtime.block_on(async {
                import_contacts(stream(octets), &options, &world.store, &world.clock, &mut |_| {})
                    .await
            });
            // A file as a whole may be refused; its rows may not get lost.
            if let Ok(report) = result {
                prop_assert!(report.tally.adds_up(), "{:?}", report);
                prop_assert_eq!(report.reasons.values().sum::<u64>(), report.tally.rejected);
            }
            Ok(())
        })
        .unwrap();
}
