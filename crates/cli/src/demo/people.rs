//! 5,000 made-up people: names in several scripts, every domain reserved for examples (RFC 2606), some rows bad.
//!
//! Made from the row's number alone, so that each demo imports the same file.

use postroad_model::rank::mix;

/// Rows of the file, the header apart.
pub const ROWS: u64 = 5_000;
/// Recipients here do not exist.
pub const GONE: &str = "gone.example";
/// This server greylists: the first try of each recipient is sent away.
pub const GREY: &str = "grey.example";

/// A given name, a family name and the local part that goes with it.
type Person = (&'static str, &'static str, &'static str);

const PEOPLE: [Person; 30] = [
    ("Anna", "Nguyễn", "anna.nguyen"),
    ("Minh", "Trần", "minh.tran"),
    ("Thị Hồng", "Lê", "hong.le"),
    ("Quốc Bảo", "Phạm", "bao.pham"),
    ("Ngọc Ánh", "Đặng", "anh.dang"),
    ("Đức", "Vũ", "duc.vu"),
    ("伟", "王", "wei.wang"),
    ("秀英", "李", "xiuying.li"),
    ("娜", "张", "na.zhang"),
    ("さくら", "佐藤", "sakura.sato"),
    ("健太", "鈴木", "kenta.suzuki"),
    ("민준", "김", "minjun.kim"),
    ("서연", "이", "seoyeon.lee"),
    ("محمد", "الأحمد", "m.alahmad"),
    ("فاطمة", "حسن", "f.hassan"),
    ("Иван", "Петров", "ivan.petrov"),
    ("Ольга", "Смирнова", "olga.smirnova"),
    ("Οδυσσέας", "Παππάς", "o.pappas"),
    ("אורי", "כהן", "uri.cohen"),
    ("अनन्या", "शर्मा", "ananya.sharma"),
    ("สมชาย", "ใจดี", "somchai.jaidee"),
    ("José", "García", "jose.garcia"),
    ("Zoë", "Müller", "zoe.mueller"),
    ("Łukasz", "Wójcik", "lukasz.wojcik"),
    ("Siobhán", "O'Brien", "siobhan.obrien"),
    ("Bob", "Smith", "bob.smith"),
    ("Chloé", "Dupont", "chloe.dupont"),
    ("Åsa", "Lindström", "asa.lindstrom"),
    ("Ana", "Conceição", "ana.conceicao"),
    ("Jan \"Honza\"", "Novák", "jan.novak"),
];

const DOMAINS: [&str; 6] =
    ["example.com", "example.net", "example.org", "mail.example", "post.example", "brief.example"];

const CITIES: [&str; 6] = ["Hà Nội", "Đà Nẵng", "上海", "Київ", "São Paulo", "London"];

/// What somebody typed where an address should be.
const BAD: [&str; 6] = [
    "",
    "not an address",
    "two@@example.com",
    "no-domain@",
    "blank space@example.com",
    "@example.com",
];

/// The file.
pub fn csv() -> String {
    let mut text = String::from("Email,First name,Last name,City,Orders,Newsletter since\r\n");
    for n in 0..ROWS {
        text.push_str(&row(n));
    }
    text
}

fn row(n: u64) -> String {
    let dice = mix(n);
    let of = |count: usize, shift: u32| (dice >> shift) as usize % count;
    let (given, family, _) = PEOPLE[of(PEOPLE.len(), 8)];
    let email = match n % 100 {
        // One in a hundred is no address, and one in a hundred stands in the file twice.
        17 => BAD[of(BAD.len(), 16)].to_owned(),
        43 if n > 100 => address(n - 1),
        _ => address(n),
    };
    let (city, orders) = (CITIES[of(CITIES.len(), 24)], of(40, 32));
    let (year, month) = (2018 + of(8, 40), 1 + of(12, 48));
    format!("{email},{},{},{city},{orders},{year}-{month:02}-01\r\n", quoted(given), quoted(family))
}

/// The address of a row.
pub fn address(n: u64) -> String {
    let dice = mix(n);
    let (_, _, local) = PEOPLE[(dice >> 8) as usize % PEOPLE.len()];
    let domain = match n % 50 {
        3 => GONE,
        7 | 29 => GREY,
        _ => DOMAINS[(dice >> 56) as usize % DOMAINS.len()],
    };
    format!("{local}.{n}@{domain}")
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_model::EmailAddress;
    use std::collections::BTreeSet;

    #[test]
    fn the_file_has_good_bad_and_repeated_rows_and_is_the_same_each_time() {
        let text = csv();
        assert_eq!(text, csv());
        let rows: Vec<&str> = text.split("\r\n").skip(1).filter(|l| !l.is_empty()).collect();
        assert_eq!(rows.len() as u64, ROWS);
        let addresses: Vec<&str> = rows.iter().filter_map(|l| l.split(',').next()).collect();
        let bad = addresses.iter().filter(|a| EmailAddress::parse(a).is_err()).count();
        assert_eq!(bad, 50);
        let distinct: BTreeSet<&&str> = addresses.iter().collect();
        assert!(distinct.len() < addresses.len() - 40);
        assert!(text.len() < 500_000);
    }

    #[test]
    fn nobody_real_is_in_it() {
        for n in 0..ROWS {
            let address = address(n);
            let domain = address.split('@').next_back().unwrap();
            assert!(domain.starts_with("example.") || domain.ends_with(".example"), "{address}");
        }
    }
}
