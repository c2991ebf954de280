//! The page's section on opens, and what its notes say of them.

use super::Lang;
use super::parts::Html;
use postroad_campaign::Opens;

/// Opens by mailbox provider, with the share of what relays took.
pub fn section(h: &mut Html, opens: &[Opens]) {
    h.section(h.say("Opened, by mailbox provider", "Lượt mở, theo nhà cung cấp hộp thư"));
    let heads = [
        h.say("provider", "nhà cung cấp"),
        h.say("by a mail program", "bằng phần mềm thư"),
        h.say("through an image proxy", "qua máy chủ ảnh"),
        h.say("loaded ahead, not counted", "tải trước, không tính"),
        h.say("accepted", "đã nhận"),
        h.say("opened, share", "tỷ lệ mở"),
    ];
    let row = |line: &Opens| {
        let accepted = line.accepted.unwrap_or(0);
        let mut cells = vec![line.provider.to_owned()];
        cells.extend([line.human, line.proxy, line.prefetch, accepted].map(|n| h.number(n)));
        cells.push(h.percent(line.human + line.proxy, accepted));
        cells
    };
    let rows: Vec<Vec<String>> = opens.iter().map(row).collect();
    h.table(&heads, &rows);
    h.end();
}

/// What opens are worth, as the last sentence of the notes.
pub fn note(lang: Lang, opens: Option<&Vec<Opens>>) -> &'static str {
    match (lang, opens) {
        (Lang::En, None) => "Opens are not counted.",
        (Lang::En, Some(_)) => {
            "Opens are fetches of an image: many readers load none, so they compare mailbox providers and do not count readers."
        }
        (Lang::Vi, None) => "Lượt mở thư không được đếm.",
        (Lang::Vi, Some(_)) => {
            "Lượt mở được đếm qua một ảnh mà nhiều người không tải, nên chỉ để so sánh các nhà cung cấp, không phải số người đọc."
        }
    }
}
