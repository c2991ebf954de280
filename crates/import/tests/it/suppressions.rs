//! Suppressions from files.

use crate::world::{World, both, stream};
use postroad_import::{Mapping, SuppressionOptions, SuppressionReport, import_suppressions};
use postroad_model::suppression::{SuppressionReason, SuppressionScope};

async fn import(world: &World, text: &str) -> SuppressionReport {
    let options = SuppressionOptions {
        scope: SuppressionScope::All,
        reason: SuppressionReason::HardBounce,
        mapping: Mapping::default(),
        charset: None,
        delimiter: None,
        rejects: None,
    };
    import_suppressions(stream(text), &options, &world.store, &world.clock, &mut |_| {})
        .await
        .unwrap()
}

#[tokio::test]
async fn a_bare_list_of_addresses_is_suppressed_and_again_adds_nothing() {
    for world in both().await {
        let text = "an@b.vn\nbinh@b.vn\nnobody\nAN@b.vn\n";
        let report = import(&world, text).await;
        assert_eq!((report.rows, report.added, report.standing, report.rejected), (4, 2, 1, 1));
        let report = import(&world, text).await;
        assert_eq!((report.rows, report.added, report.standing, report.rejected), (4, 0, 3, 1));
        let mut out = Vec::new();
        assert_eq!(postroad_import::export_suppressions(&world.store, &mut out).await.unwrap(), 2);
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.contains("an@b.vn,,hard_bounce,import people.csv,2026-11-30T08:00:00.000Z"),
            "{out}"
        );
        // An export of suppressions is a list of suppressions.
        assert_eq!(import(&world, &out).await.standing, 2);
    }
}
