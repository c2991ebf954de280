//! Each helper through one check.

use super::*;
use serde_json::json;

fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(crate::html::escape);
    register(&mut registry);
    registry
}

fn run(template: &str, locale: &str) -> Result<String, String> {
    let data = json!({
        "name": "nguyễn văn AN", "blank": "  ", "n": 1_234_567.891, "one": 1, "price": "1234.5", "none": null,
        "day": "2026-12-01", "at": "2026-11-30T18:30:00Z", "tags": ["a", "b"], "link": "JavaScript:alert(1)",
        "title": "Dr", "date": null, "html": "<b>O'Neill</b>", "site": "https://x.vn/?a=1&b=2",
        FACTS: { UNSUBSCRIBE: "https://n.vn/u/t", LOCALE: locale, ZONE: "Asia/Ho_Chi_Minh", DATE: 1_796_083_200_000_i64 },
    });
    registry().render_template(template, &data).map_err(|e| e.reason().to_string())
}

fn check(template: &str, expected: &str) {
    assert_eq!(run(template, "en").as_deref(), Ok(expected), "{template}");
}

fn check_vi(template: &str, expected: &str) {
    assert_eq!(run(template, "vi").as_deref(), Ok(expected), "{template}");
}

fn check_fails(template: &str, with: &str) {
    let got = run(template, "en").unwrap_err();
    assert!(got.contains(with), "{template}: {got}");
}

#[test]
fn default_works_on_what_is_missing_null_or_blank() {
    check("{{default nobody \"friend\"}}", "friend");
    check("{{default nobody blank none name \"x\"}}", "nguyễn văn AN");
    check("{{upper (default nobody \"friend\")}}", "FRIEND");
    check_fails("{{default nobody none}}", "none");
}

#[test]
fn a_helpers_name_alone_is_a_variable() {
    check("{{title}}|{{upper title}}|{{#each tags}}{{this}}{{../title}}{{/each}}", "Dr|DR|aDrbDr");
    check_fails("{{number}}", "\"number\"");
}

#[test]
fn case_and_length() {
    check("{{upper name}}|{{lower name}}", "NGUYỄN VĂN AN|nguyễn văn an");
    check("{{capitalise name}}|{{title name}}", "Nguyễn văn AN|Nguyễn Văn An");
    check("{{truncate name 10}}|{{truncate name 20}}", "nguyễn…|nguyễn văn AN");
    check("{{truncate \"một hai ba bốn\" 9}}", "một hai…");
    check_fails("{{truncate name 0}}", "greatest length");
    check_fails("{{upper nobody}}", "nobody");
}

#[test]
fn encodings() {
    check("{{urlencode name}}", "nguy%E1%BB%85n%20v%C4%83n%20AN");
    check(
        "{{html}}|{{{html}}}|{{strip_tags html}}",
        "&lt;b&gt;O&#39;Neill&lt;/b&gt;|<b>O'Neill</b>|O&#39;Neill",
    );
    check(
        "{{json html}}|{{json tags}}",
        "\"\\u003cb\\u003eO'Neill\\u003c/b\\u003e\"|[\"a\",\"b\"]",
    );
    check("{{join tags \" & \"}}", "a &amp; b");
    check("{{unsubscribe_url}}|{{preheader}}", "https://n.vn/u/t|");
    check_fails("{{view_url}}", "public_url");
}

#[test]
fn a_link_may_not_run_anything() {
    check("{{safe_url site}}|{{safe_url \"a/b:c\"}}", "https://x.vn/?a=1&amp;b=2|a/b:c");
    check_fails("{{safe_url link}}", "may not begin a link");
    check_fails("{{safe_url \"java\\tscript:x\"}}", "may not begin a link");
    check_fails("{{safe_url \" data:text/html,x\"}}", "may not begin a link");
}

#[test]
fn comparisons_as_values_and_as_blocks() {
    check("{{#if (eq one \"1\")}}y{{else}}n{{/if}}", "y");
    check(
        "{{#eq price 1234.5}}y{{else}}n{{/eq}}{{#ifEquals name \"x\"}}y{{else}}n{{/ifEquals}}",
        "yn",
    );
    check(
        "{{#if (gt price 999)}}y{{/if}}{{#if (lt \"9\" \"10\")}}y{{/if}}{{#if (ne \"9\" \"09\")}}y{{/if}}",
        "yyy",
    );
    check("{{#if (and one (not nobody) (or nobody name))}}y{{/if}}", "y");
    check_fails("{{#if (eq nobody 1)}}y{{/if}}", "nobody");
    check_fails("{{#eq one}}y{{/eq}}", "argument 2");
}

#[test]
fn numbers_and_money() {
    check(
        "{{number n}}|{{number n 1}}|{{number 999.995 digits=2}}",
        "1,234,567.891|1,234,567.9|1,000.00",
    );
    check_vi("{{number n}}|{{number n 0}}|{{number \"-1000\"}}", "1.234.567,891|1.234.568|-1.000");
    check(
        "{{money price \"USD\"}}|{{money n \"VND\"}}|{{money -5 \"SGD\"}}",
        "$1,234.50|₫1,234,568|-SGD\u{a0}5.00",
    );
    check_vi(
        "{{money price \"VND\"}}|{{money price currency=\"USD\"}}|{{money 0.4 \"EUR\"}}",
        "1.235\u{a0}₫|1.234,50\u{a0}US$|0,40\u{a0}€",
    );
    check(
        "{{percent 0.256}}|{{percent 0.256 1}}|{{percent 2}}|{{percent -0.001}}",
        "26%|25.6%|200%|0%",
    );
    check_fails("{{number name}}", "not a number");
    check_fails("{{money price}}", "name the currency");
}

#[test]
fn plural_takes_the_number_for_the_word_alone() {
    check(
        "{{plural one \"item\" \"items\"}} {{plural 2 \"item\" \"items\"}} {{plural 0 \"gift\"}}",
        "item items gifts",
    );
    check_vi("{{plural 2 \"món\"}}", "món");
}

#[test]
fn dates_in_zone_and_language() {
    check(
        "{{date day}}|{{date day \"short\"}}|{{date day \"iso\"}}",
        "1 December 2026|1 Dec 2026|2026-12-01",
    );
    check(
        "{{date at \"datetime\"}}|{{date at format=\"%H:%M %Z\" zone=\"UTC\"}}",
        "1 Dec 2026, 01:30|18:30 UTC",
    );
    check_vi("{{date at \"full\"}}", "Thứ Ba, 1 tháng 12, 2026");
    check_vi("{{date \"25/12/2026\" \"%a %d %b, %%A\"}}", "T6 25 thg 12, %A");
    check_vi("{{date \"now\" \"short\"}}|{{date 1796083200}}", "01/12/2026|1 tháng 12, 2026");
    check_fails("{{date name}}", "not a date");
    check_fails("{{date day \"somehow\"}}", "no format");
    check_fails("{{date day \"%!\"}}", "cannot be used");
    check_fails("{{date day zone=\"Mars/Base\"}}", "no time zone");
}

#[test]
fn every_name_in_messages_is_a_helper() {
    let registry = registry();
    for name in NAMES {
        let call = registry.render_template(&format!("{{{{#{name}}}}}{{{{/{name}}}}}"), &json!({}));
        if let Err(e) = call {
            assert!(!e.reason().to_string().contains("Helper not found"), "{name}");
        }
    }
}
