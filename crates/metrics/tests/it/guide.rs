//! The user's guide lists exactly the numbers that are published.

use postroad_metrics::names;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_guide_lists_every_number_with_its_labels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/serve.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let rows: BTreeSet<(String, String)> = guide
        .lines()
        .filter(|line| line.starts_with("| `postroad_"))
        .map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().replace('`', "")).skip(1);
            let name = cells.next().unwrap();
            (name, cells.nth(1).unwrap())
        })
        .collect();
    let defined: BTreeSet<(String, String)> =
        names::ALL.iter().map(|d| (d.name.to_owned(), d.labels.join(", "))).collect();
    assert_eq!(rows, defined);
}
