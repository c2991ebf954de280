//! What files are made of: charsets, delimiters, quotation marks, packing.

use crate::world::{figures, one, options};
use postroad_import::{Charset, Delimiter, ImportOptions};
use std::io::Write;

/// Imports a file and compares what it was taken for and what stands of one person.
async fn check(octets: &[u8], facts: (&str, &str), address: &str, data: &str) {
    let world = one().await;
    let report = world.import(octets).await;
    assert_eq!((report.charset, report.delimiter), facts);
    assert_eq!(world.data(address).await, data);
}

#[tokio::test]
async fn utf_8_is_read_with_and_without_a_byte_order_mark() {
    let text = "email,name,city\nan@example.vn,Nguyễn Văn Ân,Huế\n";
    let expected = "Nguyễn Văn Ân {\"city\":\"Huế\"}";
    check(text.as_bytes(), ("UTF-8", "comma"), "an@example.vn", expected).await;
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    check(&marked, ("UTF-8", "comma"), "an@example.vn", expected).await;
}

#[tokio::test]
async fn utf_16_is_read_as_excel_writes_it() {
    let text = "\u{FEFF}email\tname\nan@example.vn\tNguyễn Văn Ân\n";
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&le, ("UTF-16LE", "tab"), "an@example.vn", "Nguyễn Văn Ân {}").await;
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(&be, ("UTF-16BE", "tab"), "an@example.vn", "Nguyễn Văn Ân {}").await;
}

#[tokio::test]
async fn windows_1252_is_detected() {
    let text = "email;name;city\nhelene@example.fr;Hélène Lefèvre;Besançon\njurgen@example.de;Jürgen Groß;Köln\n";
    let (octets, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    check(
        &octets,
        ("windows-1252", "semicolon"),
        "helene@example.fr",
        "Hélène Lefèvre {\"city\":\"Besançon\"}",
    )
    .await;
}

/// Windows-1258 as Vietnamese programs write it: vowels with hat or horn in one octet, the tone mark in the next.
fn windows_1258(text: &str) -> Vec<u8> {
    use unicode_normalization::UnicodeNormalization;
    const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let mut out = String::new();
    for c in text.chars() {
        let parts: Vec<char> = std::iter::once(c).nfd().collect();
        let tone = parts.iter().copied().filter(|p| TONES.contains(p));
        let base: String = parts.iter().copied().filter(|p| !TONES.contains(p)).nfc().collect();
        out.push_str(&base);
        out.extend(tone);
    }
    let (octets, _, unmappable) = encoding_rs::WINDOWS_1258.encode(&out);
    assert!(!unmappable, "{out}");
    octets.into_owned()
}

const VIETNAMESE: &str = "email,họ tên,thành phố,ghi chú\n\
    an@example.vn,Nguyễn Thị Hồng Ánh,Đà Nẵng,Khách hàng thân thiết đã mua hàng nhiều lần\n\
    binh@example.vn,Trần Quốc Bình,Thành phố Hồ Chí Minh,Đăng ký nhận bản tin hằng tuần\n\
    cuong@example.vn,Phạm Đức Cường,Hải Phòng,Quan tâm đến sản phẩm mới và khuyến mãi\n\
    dung@example.vn,Lê Thị Dung,Cần Thơ,Yêu cầu gọi lại vào buổi chiều thứ bảy\n";

#[tokio::test]
async fn windows_1258_is_detected_and_its_tone_marks_are_composed() {
    let expected = "Nguyễn Thị Hồng Ánh {\"city\":\"Đà Nẵng\",\"ghi_chu\":\"Khách hàng thân thiết đã mua hàng nhiều lần\"}";
    check(&windows_1258(VIETNAMESE), ("windows-1258", "comma"), "an@example.vn", expected).await;
}

#[tokio::test]
async fn other_legacy_charsets_are_detected_or_named() {
    let japanese = "email,name,note\ntaro@example.jp,山田太郎,いつもお世話になっております\nhanako@example.jp,鈴木花子,よろしくお願いします\n";
    let (octets, _, _) = encoding_rs::SHIFT_JIS.encode(japanese);
    check(
        &octets,
        ("Shift_JIS", "comma"),
        "taro@example.jp",
        "山田太郎 {\"note\":\"いつもお世話になっております\"}",
    )
    .await;
    let world = one().await;
    let charset = Some(Charset::from_label("windows-1258").unwrap());
    let options = ImportOptions { charset, ..options() };
    let report = world.try_import(b"email,name\nle@example.vn,L\xEA\n", &options).await.unwrap();
    assert_eq!(report.charset, "windows-1258");
    assert_eq!(world.data("le@example.vn").await, "Lê {}");
}

#[tokio::test]
async fn the_delimiter_is_sniffed_declared_or_said() {
    for (octets, name) in [
        ("email,name\na@b.vn,A\n", "comma"),
        ("email;name;n\na@b.vn;\"A, B\";1,5\n", "semicolon"),
        ("email\tname\na@b.vn\tA, B\n", "tab"),
        ("email|name\na@b.vn|A; B\n", "pipe"),
        ("sep=;\r\nemail;name\r\na@b.vn;A\r\n", "semicolon"),
        ("email\na@b.vn\n", "comma"),
    ] {
        let report = one().await.import(octets).await;
        assert_eq!((report.delimiter, report.tally.added), (name, 1), "{octets:?}");
    }
    let world = one().await;
    let options =
        ImportOptions { delimiter: Some(Delimiter::from_text("|").unwrap()), ..options() };
    world.try_import("email|a,b,c\na@b.vn|1,2,3\n", &options).await.unwrap();
    assert_eq!(world.data("a@b.vn").await, " {\"a_b_c\":\"1,2,3\"}");
}

#[tokio::test]
async fn quoted_fields_keep_their_newlines_quotes_and_delimiters() {
    let world = one().await;
    let text = "email,note,name\r\na@b.vn,\"one\r\ntwo \"\"three\"\", four\",\"Lê,\nAnna\"\r\nb@b.vn,x,Binh\r\n";
    let report = world.import(text).await;
    assert_eq!(figures(&report), [2, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        world.data("a@b.vn").await,
        "Lê, Anna {\"note\":\"one\\r\\ntwo \\\"three\\\", four\"}"
    );
}

#[tokio::test]
async fn line_ends_of_every_kind_are_line_ends() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["email,n", "a@b.vn,1", "", "b@b.vn,2", ",", "bad,3", "c@b.vn,4"].join(end);
        let report = one().await.import(text).await;
        assert_eq!(figures(&report), [4, 3, 0, 0, 0, 1, 0, 0], "{end:?}");
        assert_eq!(report.first_rejected[0].line, 6, "{end:?}");
    }
}

#[tokio::test]
async fn packed_files_are_known_by_their_content() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"email,name\na@b.vn,A\n").unwrap();
    let mut packed = packer.finish().unwrap();
    let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    second.write_all(b"b@b.vn,B\n").unwrap();
    packed.extend(second.finish().unwrap());
    assert_eq!(one().await.import(packed).await.tally.added, 2);
}

#[tokio::test]
async fn addresses_with_display_names_links_and_blanks_are_read() {
    let world = one().await;
    let text = "email\n\"Lê Anna <anna@b.vn>\"\nmailto:binh@b.vn\n\u{A0}chi@b.vn\u{200B}\n/G=An/S=Le/@gw.example.org\n\"\"\"an le\"\"@b.vn\"\n";
    let report = world.import(text).await;
    assert_eq!((report.tally.added, &report.first_rejected), (5, &Vec::new()));
    assert_eq!(world.data("anna@b.vn").await, "Lê Anna {}");
    assert!(world.contact("\"an le\"@b.vn").await.is_some());
}

#[tokio::test]
async fn values_are_typed_and_telephone_numbers_are_text() {
    let world = one().await;
    world
        .import(
            "email,Điểm,vip,Số điện thoại,since,code\na@b.vn,12,TRUE,84912345678,2026-01-02,007\n",
        )
        .await;
    let expected = " {\"code\":\"007\",\"diem\":12,\"phone\":\"84912345678\",\"since\":\"2026-01-02\",\"vip\":true}";
    assert_eq!(world.data("a@b.vn").await, expected);
}
