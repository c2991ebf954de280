//! Whatever a contact's data hold, the message stays a message.

use crate::facts::Case;
use crate::strict;
use postroad_model::campaign::{BodyFormat, Content};
use postroad_render::Compiled;
use proptest::prelude::*;
use serde_json::json;

fn compiled() -> Compiled {
    let content = Content {
        template_name: "body.html".to_owned(),
        subject: "{{city}}: {{default first_name \"x\"}}".to_owned(),
        preheader: Some("{{city}}".to_owned()),
        format: BodyFormat::Html,
        body: "<style>p{color:red}</style><p title=\"{{city}}\">{{city}} {{{first_name}}}</p>\
               <a href=\"https://x.vn/?q={{urlencode city}}\">{{truncate city 5}}</a>{{default name \"nobody\"}}"
            .to_owned(),
        text: None,
        attachments: Vec::new(),
    };
    Compiled::compile(&content).unwrap()
}

/// Text of every script, with the characters that break mail.
fn data() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\r\n\t :=?<>@\"',.;\\\\\u{0}-\u{20}a-cẤ-ỹ你🎉]{0,60}",
        "(\r\n)?Bcc: [a-z]{1,5}@x\\.y(\r\n){0,3}[ \t]{0,3}",
        "[aế ]{900,1200}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_datum_breaks_header_fields_lines_or_encodings(city in data(), first_name in data(), name in data()) {
        let compiled = compiled();
        let case = Case::read(&json!({ "name": name, "attributes": { "city": format!("c{city}"), "first_name": first_name } }));
        let bytes = case.compose(&compiled);
        let message = strict::check(&bytes);
        prop_assert_eq!(message.to().and_then(|a| a.first()).and_then(|a| a.address()), Some("an@example.org"));
        prop_assert_eq!(message.to().map(|a| a.iter().count()), Some(1));
        prop_assert!(message.subject().is_some_and(|s| s.starts_with('c')));
        prop_assert_eq!(message.text_body_count() + message.html_body_count(), 2);
    }
}

#[test]
fn names_of_every_script_arrive_as_they_are() {
    let compiled = compiled();
    for name in [
        "Nguyễn Thị Ánh Tuyết",
        "Đặng, Văn \"Tí\"",
        "王小明",
        "Анна Ли",
        "O'Neill (Bob) <x>",
        "محمد",
        "a@b",
    ] {
        let case = Case::read(
            &json!({ "name": name, "attributes": { "city": "Huế", "first_name": "x" } }),
        );
        let bytes = case.compose(&compiled);
        let message = strict::check(&bytes);
        let to = message.to().and_then(|a| a.first()).and_then(|a| a.name()).map(str::to_owned);
        assert_eq!(to.as_deref(), Some(name));
        assert_eq!(message.subject(), Some("Huế: x"));
        assert_eq!(
            message.from().and_then(|a| a.first()).and_then(|a| a.name()),
            Some("Lê Thị Hồng Ánh")
        );
    }
}
