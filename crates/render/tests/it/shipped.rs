//! The templates that come with the program work for a contact of whom only the address is known.

use crate::facts::{Case, campaign};
use crate::strict;
use postroad_model::campaign::{BodyFormat, Content};
use postroad_render::shipped::{Shipped, TEMPLATES, find};
use postroad_render::{Compiled, Locale, Severity, inspect, render};
use serde_json::json;

/// A basic TOML string is a JSON string for the characters used here.
fn setting(shipped: &Shipped, name: &str) -> Option<String> {
    let line = shipped.settings.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(" = "))?;
    Some(serde_json::from_str(line).unwrap())
}

fn content(shipped: &Shipped) -> Content {
    Content {
        template_name: shipped.file_name.to_owned(),
        subject: setting(shipped, "subject").unwrap(),
        preheader: setting(shipped, "preheader"),
        format: shipped.format,
        body: shipped.body.to_owned(),
        text: None,
        attachments: Vec::new(),
    }
}

#[test]
fn each_shipped_template_composes_for_anybody_without_a_finding() {
    for shipped in &TEMPLATES {
        let compiled = Compiled::compile(&content(shipped))
            .unwrap_or_else(|e| panic!("{}: {e:?}", shipped.name));
        for attributes in [json!({}), json!({ "first_name": "Ánh" })] {
            let mut case = Case::read(&json!({ "attributes": attributes }));
            case.campaign = campaign(shipped.locale, None);
            let bytes = case.compose(&compiled);
            strict::check(&bytes);
            let got = inspect(&compiled, &case.campaign, &case.recipient()).unwrap();
            assert!(got.has_unsubscribe_link, "{}", shipped.name);
            assert!(
                got.findings.is_empty(),
                "{} {:?}: {:?}",
                shipped.name,
                shipped.locale,
                got.findings
            );
            assert!(got.html_size < 40 * 1024, "{}: {}", shipped.name, got.html_size);
        }
    }
}

#[test]
fn a_shipped_template_needs_no_web_address_and_no_postal_address() {
    for shipped in &TEMPLATES {
        let compiled = Compiled::compile(&content(shipped)).unwrap();
        let mut case = Case::read(&json!({}));
        (
            case.campaign.view_base,
            case.campaign.unsubscribe_base,
            case.campaign.postal_address,
            case.campaign.list,
        ) = (None, None, None, None);
        let got = inspect(&compiled, &case.campaign, &case.recipient()).unwrap();
        assert!(got.has_unsubscribe_link);
        assert!(got.findings.iter().all(|f| f.severity < Severity::Error), "{:?}", got.findings);
    }
}

#[test]
fn both_languages_have_the_same_templates_and_their_own_words() {
    for shipped in TEMPLATES.iter().filter(|t| t.locale == Locale::En) {
        let vi = find(shipped.name, Locale::Vi).unwrap();
        assert_eq!((vi.format, vi.file_name), (shipped.format, shipped.file_name));
        assert!(
            vi.body.contains("đăng ký") && !vi.body.contains("Unsubscribe"),
            "{}",
            shipped.name
        );
    }
}

#[test]
fn the_derived_text_part_reads_like_a_letter() {
    let shipped = find("newsletter", Locale::Vi).unwrap();
    let compiled = Compiled::compile(&content(shipped)).unwrap();
    let case = Case::read(&json!({ "locale": "vi", "attributes": { "first_name": "An" } }));
    let text = render(&compiled, &case.campaign, &case.recipient()).unwrap().text;
    assert!(text.starts_with("Bản tin tháng\n\nChào An,\n\nđây là những gì"), "{text}");
    assert!(text.contains("Xem hình ảnh <https://example.com/vi/xuong>\n\n"), "{text}");
    assert!(text.ends_with(
        "Lê Thị Hồng Ánh, 1 Phố Huế, Hà Nội\n\nHủy đăng ký <https://n.example.com/u/mzxw6ytboi> · Xem trên trình duyệt \
         <https://n.example.com/v/nrxxe3i>\n"
    ), "{text}");
    assert_eq!(shipped.format, BodyFormat::Mjml);
}
