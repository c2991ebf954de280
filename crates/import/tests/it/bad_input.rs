//! What is no list of people, or not quite: a clear word, bounded memory, nothing half done.

use crate::world::{figures, one, options};
use postroad_import::{Error, ImportOptions};

async fn refused(octets: &[u8]) -> Error {
    let world = one().await;
    let error = world.try_import(octets, &options()).await.unwrap_err();
    assert!(world.store.lists().await.unwrap().is_empty(), "a list was made: {error}");
    error
}

#[tokio::test]
async fn files_that_are_no_text_are_named_for_what_they_are() {
    let check = async |octets: &[u8], what: &str| {
        let error = refused(octets).await;
        assert!(
            matches!(error, Error::Binary { .. }) && error.to_string().contains(what),
            "{error}"
        );
    };
    check(b"PK\x03\x04\x14\x00\x06\x00", "Excel workbook").await;
    check(b"%PDF-1.7 ...", "PDF").await;
    let noise: Vec<u8> =
        (0..9_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    check(&noise, "binary file").await;
    let mut line = "email,".to_owned();
    line.push_str(&"x".repeat(10 << 20));
    check(line.as_bytes(), "longer than 1 MiB").await;
}

#[tokio::test]
async fn empty_files_and_files_without_an_address_column_are_refused() {
    assert!(matches!(refused(b"").await, Error::Empty { .. }));
    assert!(matches!(refused(b"\xEF\xBB\xBF\r\n\r\n").await, Error::Empty { .. }));
    let error = refused(b"Kontakt,Name\nan@b.vn,An\n").await;
    // The second row's addresses tell which column it is.
    assert!(error.to_string().contains("--map \"Kontakt=email\""), "{error}");
    assert!(error.to_string().contains("Kontakt, Name"), "{error}");
}

#[tokio::test]
async fn a_line_of_ten_mebibytes_is_refused_and_the_next_one_is_read() {
    let world = one().await;
    let mut text = "email,name\na@b.vn,A\nbig@b.vn,".to_owned();
    text.push_str(&"x".repeat(10 << 20));
    text.push_str("\nc@b.vn,C\n");
    let report = world.import(text).await;
    assert_eq!(figures(&report), [3, 2, 0, 0, 0, 1, 0, 0]);
    assert_eq!(report.first_rejected[0].line, 3);
    assert_eq!(report.reasons.get("too_long"), Some(&1));
}

#[tokio::test]
async fn a_quotation_mark_that_is_never_closed_costs_its_own_line_only() {
    for lines_after in [1, 30_000] {
        let world = one().await;
        let mut text = "email,name\na@b.vn,A\nbad@b.vn,\"B\n".to_owned();
        for i in 0..lines_after {
            text.push_str(&format!("p{i}@example.com,Person number {i}\n"));
        }
        let report = world.import(text).await;
        assert_eq!(figures(&report), [lines_after + 2, lines_after + 1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(
            (report.first_rejected[0].line, report.first_rejected[0].reason.as_str()),
            (3, "a quotation mark is never closed")
        );
    }
    let world = one().await;
    let report = world.import("email,name\na@b.vn,\"A").await;
    assert_eq!(figures(&report), [1, 0, 0, 0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn refused_rows_come_back_as_a_file_that_can_be_corrected_and_imported() {
    let world = one().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv.rejects.csv");
    let options = ImportOptions { rejects: Some(path.clone()), ..options() };
    let text = "email,name,city\nanna,Anna,Huế\nb@b.vn,\"Bình\nTrần\",Vinh\n,Chi,\nd@b.vn,Dung,Huế,7\na@b.vn\r,x\nGốc\u{0}@b.vn,G,\n";
    let report = world.try_import(text, &options).await.unwrap();
    assert_eq!(report.rejects_file.as_ref(), Some(&path));
    let rejects = std::fs::read_to_string(&path).unwrap();
    let expected = "line,column,reason,email,name,city\n\
        2,email,no @ between a local part and a domain,anna,Anna,Huế\n\
        5,email,no address,,Chi,\n\
        6,,4 fields where the header has 3; is a field with a delimiter not quoted?,d@b.vn,Dung,Huế,7\n\
        8,email,no address,,x\n\
        9,email,control character U+0000,Gốc\u{0}@b.vn,G,\n";
    assert_eq!(rejects, expected);
    let corrected = rejects.replace("anna,Anna", "anna@b.vn,Anna");
    let report = world.try_import(corrected, &options).await.unwrap();
    assert_eq!((report.tally.added, report.tally.rejected), (1, 4));
    assert_eq!(world.data("anna@b.vn").await, "Anna {\"city\":\"Huế\"}");
    // All are taken: the old file would tell of another import.
    world.try_import("email\nz@b.vn\n", &options).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn letters_that_cannot_be_read_refuse_an_address_and_are_counted_elsewhere() {
    let world = one().await;
    let row = "an@b.vn,Nguyễn Văn Ánh Hồng Đức Thị Bưởi Lê Trần Ngô Đặng Bùi Đỗ Hồ Dương Nguyễn Đình Thế\n";
    let mut octets = format!("email,name\n{row}{row}").into_bytes();
    octets.extend_from_slice(b"j@b.vn,J\xF6rg\nj\xF6rg@b.vn,X\n");
    let report = world.import(octets).await;
    assert_eq!(figures(&report), [4, 2, 0, 0, 1, 1, 0, 0]);
    assert_eq!(report.reasons.get("unreadable"), Some(&1));
    assert!(report.unreadable > 0);
}

#[tokio::test]
async fn a_packed_file_that_is_cut_off_says_so_and_can_be_imported_again() {
    use std::io::Write;
    let world = one().await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut text = "email\n".to_owned();
    for i in 0..20_000_u64 {
        text.push_str(&format!("p{i}x{}@b.vn\n", i.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    }
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let error = world.try_import(&packed[..packed.len() / 2], &options()).await.unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    let report = world.import(packed).await;
    assert_eq!(report.tally.rows, 20_000);
    assert_eq!(world.store.list("all").await.unwrap().subscribed, 20_000);
}
