//! One recipient's parts: escaping, text, preheader, places of errors.

use super::*;
use crate::facts::{ListFacts, Locale};
use postroad_model::address::Mailbox;
use postroad_model::campaign::{Attachment, BodyFormat, Content};
use postroad_model::{Domain, EmailAddress, Timestamp};
use serde_json::{Value, json};

fn campaign() -> CampaignFacts {
    CampaignFacts {
        name: "Tết 2027".to_owned(),
        from: Mailbox::parse("Lê Anna <anna@news.example.com>").unwrap(),
        reply_to: None,
        list: Some(ListFacts {
            name: "Bản tin".to_owned(),
            label: "ban tin".to_owned(),
            domain: Domain::parse("news.example.com").unwrap(),
        }),
        postal_address: None,
        unsubscribe_base: Some("https://n.example.com/u/".to_owned()),
        view_base: Some("https://n.example.com/v/".to_owned()),
        unsubscribe_mailto: Some(EmailAddress::parse("unsub@news.example.com").unwrap()),
        sender_id: None,
        message_id_domain: Domain::parse("news.example.com").unwrap(),
        locale: Locale::Vi,
        zone: "Asia/Ho_Chi_Minh".to_owned(),
    }
}

fn content(format: BodyFormat, body: &str) -> Content {
    Content {
        template_name: "body".to_owned(),
        subject: "Hi {{default first_name \"you\"}}".to_owned(),
        preheader: None,
        format,
        body: body.to_owned(),
        text: None,
        attachments: Vec::new(),
    }
}

fn with<T>(
    attributes: Value,
    forced: Option<&Mailbox>,
    run: impl FnOnce(&RecipientFacts<'_>) -> T,
) -> T {
    let Value::Object(attributes) = attributes else { panic!("an object") };
    let address = EmailAddress::parse("an@example.org").unwrap();
    run(&RecipientFacts {
        address: &address,
        name: Some("Nguyễn Văn An"),
        attributes: &attributes,
        seed: 7,
        date: Timestamp(1_796_083_200_000),
        unsubscribe_token: "tok",
        view_token: "view",
        open_url: None,
        reference: "ref",
        forced_from: forced,
    })
}

fn parts(content: &Content, attributes: Value) -> Result<Rendition, ComposeError> {
    let compiled = Compiled::compile(content).unwrap_or_else(|e| panic!("{e:?}"));
    with(attributes, None, |r| render(&compiled, &campaign(), r))
}

fn head(content: &Content, campaign: &CampaignFacts, forced: Option<&Mailbox>) -> String {
    let compiled = Compiled::compile(content).unwrap();
    let message = with(json!({}), forced, |r| compose(&compiled, campaign, r)).unwrap();
    let text = String::from_utf8(message.bytes).unwrap();
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn each_part_is_escaped_in_its_own_way() {
    let c = content(
        BodyFormat::Html,
        "<p>{{first_name}}: <a href=\"https://x.vn/?c=12&amp;t={{t}}\">go</a></p>",
    );
    let got = parts(&c, json!({ "first_name": "O'Neill <&>", "t": "7&8" })).unwrap();
    assert_eq!(got.subject, "Hi O'Neill <&>");
    assert!(
        got.html.unwrap().contains(
            "<p>O&#39;Neill &lt;&amp;&gt;: <a href=\"https://x.vn/?c=12&amp;t=7&amp;8\">"
        )
    );
    assert_eq!(got.text, "O'Neill <&>: go <https://x.vn/?c=12&t=7&8>\n");
}

#[test]
fn a_missing_variable_names_its_place_in_every_part() {
    let check = |c: &Content, expected: &str| {
        let got = parts(c, json!({ "null": null })).unwrap_err().to_string();
        assert!(got.starts_with(expected), "{got}");
    };
    check(
        &content(BodyFormat::Html, "<p>a</p>\n <p>{{firstname}}</p>"),
        "body:2:5: no value for firstname; give",
    );
    check(&content(BodyFormat::Text, "a\n{{upper city}}"), "body:2:1: no value for city");
    check(
        &content(BodyFormat::Text, "{{postal_address}}"),
        "body:1:1: no value for postal_address; set postal_address of the sending [[domain]]",
    );
    check(&content(BodyFormat::Text, "{{null}}"), "body:1:1: no value for null");
    let styled = "<style>p{color:red}</style>\n\n<table><tr>{{#if true}}<td>{{ who }}</td>{{/if}}</tr></table>";
    check(&content(BodyFormat::Html, styled), "body:3:28: no value for who");
    let mut c = content(BodyFormat::Text, "a");
    c.subject = "Hi {{nobody}}".to_owned();
    check(&c, "body (subject):1:4: no value for nobody");
    c.subject = "{{default nobody \" \"}}".to_owned();
    check(&c, "the subject is empty");
    check(
        &content(BodyFormat::Text, "{{money email \"VND\"}}"),
        "body:1:1: money: an@example.org is not a number",
    );
}

#[test]
fn a_preheader_is_a_template_too() {
    let mut c = content(BodyFormat::Html, "<body><p>x</p></body>");
    c.preheader = Some("For {{first_name}}\n today".to_owned());
    let got = parts(&c, json!({ "first_name": "An & Co" })).unwrap();
    assert!(got.html.unwrap().contains(">For An &amp; Co today&nbsp;"));
    assert_eq!(got.text, "x\n");
}

#[test]
fn the_variables_of_campaign_list_and_contact_are_there() {
    let body = "{{email}} {{name}} {{contact.city}} {{campaign.name}} {{sender.name}} {{sender.email}} {{list.name}} \
                {{#each contact}}{{@key}} {{/each}}{{unsubscribe_url}} {{view_url}}";
    let got =
        parts(&content(BodyFormat::Text, body), json!({ "city": "Huế", "empty": null })).unwrap();
    assert_eq!(
        got.text,
        "an@example.org Nguyễn Văn An Huế Tết 2027 Lê Anna anna@news.example.com Bản tin city email name \
         https://n.example.com/u/tok https://n.example.com/v/view\n"
    );
}

#[test]
fn header_fields_stand_in_their_order() {
    let got = head(&content(BodyFormat::Text, "a"), &campaign(), None);
    let names: Vec<&str> = got
        .lines()
        .filter(|l| !l.starts_with(' '))
        .filter_map(|l| l.split_once(':'))
        .map(|(n, _)| n)
        .collect();
    assert_eq!(
        names,
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "List-Id",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "Feedback-ID",
            "X-Postroad-Ref",
            "Content-Type",
            "Content-Transfer-Encoding"
        ]
    );
    for line in [
        "Date: Tue, 1 Dec 2026 00:00:00 +0000",
        "List-Unsubscribe: <https://n.example.com/u/tok>,\r\n <mailto:unsub@news.example.com?subject=unsubscribe%20tok>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Feedback-ID: t-t-2027:ban-tin:bulk:news.example.com",
        "X-Postroad-Ref: ref",
        "<ban-tin.news.example.com>",
    ] {
        assert!(got.contains(line), "{line}\n{got}");
    }
}

#[test]
fn one_click_needs_https() {
    let c = content(BodyFormat::Text, "a");
    let mut facts = campaign();
    facts.unsubscribe_base = None;
    let got = head(&c, &facts, None);
    assert!(
        got.contains("List-Unsubscribe: <mailto:") && !got.contains("Unsubscribe-Post"),
        "{got}"
    );
    facts.unsubscribe_base = Some("http://127.0.0.1:8725/u/".to_owned());
    assert!(!head(&c, &facts, None).contains("Unsubscribe-Post"));
    facts.unsubscribe_mailto = None;
    facts.unsubscribe_base = None;
    assert!(!head(&c, &facts, None).contains("List-Unsubscribe"));
}

#[test]
fn a_relay_that_forces_from_keeps_the_campaigns_as_reply_to() {
    let forced = Mailbox::parse("me@gmail.com").unwrap();
    let got = head(&content(BodyFormat::Text, "a"), &campaign(), Some(&forced));
    assert!(
        got.contains("<me@gmail.com>")
            && got.contains("Reply-To:")
            && got.contains("<anna@news.example.com>"),
        "{got}"
    );
    assert!(got.contains("@gmail.com>\r\nMIME"), "{got}");
    let same = campaign().from;
    assert!(!head(&content(BodyFormat::Text, "a"), &campaign(), Some(&same)).contains("Reply-To"));
}

#[test]
fn the_same_facts_give_the_same_octets_and_another_seed_another_message_id() {
    let compiled = Compiled::compile(&content(BodyFormat::Html, "<p>ế</p>")).unwrap();
    let make = |seed, reference| {
        with(json!({}), None, |r| {
            compose(&compiled, &campaign(), &RecipientFacts { seed, reference, ..r.clone() })
        })
        .unwrap()
    };
    assert_eq!(make(1, ""), make(1, ""));
    assert_ne!(make(1, "").message_id, make(2, "").message_id);
    let (one, two) = (make(1, "ref"), make(2, "ref"));
    assert_eq!(one.message_id, "<ref@news.example.com>");
    assert_ne!(one.bytes, two.bytes, "boundaries");
}

#[test]
fn the_web_view_holds_inline_images_and_plain_text_becomes_a_page() {
    let mut c = content(BodyFormat::Html, "<img src=\"cid:logo\" alt=\"L\">");
    c.attachments = vec![Attachment {
        name: "l.png".into(),
        media_type: "image/png".into(),
        content_id: Some("logo".into()),
        bytes: vec![1, 2, 3],
    }];
    let page = |c: &Content| {
        let compiled = Compiled::compile(c).unwrap();
        with(json!({}), None, |r| render_html(&compiled, &campaign(), r)).unwrap()
    };
    assert!(page(&c).contains("src=\"data:image/png;base64,AQID\""));
    let text =
        page(&content(BodyFormat::Text, "a < b <https://x.vn/?a=1&b=2>.\nhttps:// javascript:x"));
    let link =
        "a &lt; b &lt;<a href=\"https://x.vn/?a=1&amp;b=2\">https://x.vn/?a=1&amp;b=2</a>&gt;.\n";
    assert!(text.contains(link), "{text}");
}

#[test]
fn control_characters_in_data_reach_neither_header_nor_body() {
    let mut c = content(BodyFormat::Text, "{{x}}|");
    c.subject = "{{x}}".to_owned();
    let got = parts(&c, json!({ "x": "a\r\nBcc: b@c.d\u{0}\u{1b}[1m" })).unwrap();
    assert_eq!(got.subject, "a Bcc: b@c.d[1m");
    assert_eq!(got.text, "a\nBcc: b@c.d[1m|\n");
}

#[test]
fn findings_name_what_costs_readers() {
    let body = "<a href=\"http://bit.ly/x\">a</a><a href=\"page.html\">b</a><img src=\"https://x.vn/a.png\">";
    let compiled = Compiled::compile(&content(BodyFormat::Html, body)).unwrap();
    let got = with(json!({}), None, |r| crate::inspect(&compiled, &campaign(), r)).unwrap();
    let codes: Vec<&str> = got.findings.iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        [
            "unsubscribe-link",
            "http-link",
            "shortener",
            "relative-link",
            "image-alt",
            "postal-address"
        ]
    );
    assert_eq!(got.links.len(), 2);
    let good = "<p><a href=\"{{unsubscribe_url}}\">Unsubscribe</a> {{postal_address}}</p>";
    let mut facts = campaign();
    facts.postal_address = Some("1 Phố Huế".to_owned());
    let compiled = Compiled::compile(&content(BodyFormat::Html, good)).unwrap();
    let got = with(json!({}), None, |r| crate::inspect(&compiled, &facts, r)).unwrap();
    assert!(got.has_unsubscribe_link && got.findings.is_empty(), "{:?}", got.findings);
}

/// The HTML of a message as it is sent, with an image at `url`.
fn opened_at(format: BodyFormat, body: &str, url: Option<&str>) -> String {
    let compiled = Compiled::compile(&content(format, body)).unwrap();
    let message = with(json!({}), None, |r| {
        let tracked = RecipientFacts { open_url: url, ..r.clone() };
        let twice = [(); 2].map(|()| compose(&compiled, &campaign(), &tracked).unwrap().bytes);
        assert_eq!(twice[0], twice[1]);
        assert!(!render_html(&compiled, &campaign(), &tracked).unwrap().contains("/o/"));
        twice[0].clone()
    });
    let text = String::from_utf8(message).unwrap();
    text.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n")
}

#[test]
fn the_image_of_an_open_ends_the_html_and_stands_nowhere_else() {
    const URL: &str = "https://n.example.com/o/tok.gif?a=1&b";
    const IMAGE: &str = "<img src=\"https://n.example.com/o/tok.gif?a=1&amp;b\" width=\"1\" height=\"1\" alt=\"\" \
                         style=\"border:0\">";
    let check = |body: &str, end: &str| {
        let text = opened_at(BodyFormat::Html, body, Some(URL));
        assert!(text.contains(&format!("{IMAGE}{end}")), "{text}");
        assert_eq!(text.matches("/o/tok").count(), 1, "{text}");
        assert!(!opened_at(BodyFormat::Html, body, None).contains("/o/tok"));
    };
    check("<html><body><p>Hi</p></body></html>", "</body></html>\n");
    check("<p>Hi</p>", "</body></html>\n");
    let plain = opened_at(BodyFormat::Text, "Hi", Some(URL));
    assert!(!plain.contains("/o/tok"), "{plain}");
}

#[test]
fn the_image_of_an_open_finds_the_end_of_any_body() {
    let check = |html: &str, before: &str, after: &str| {
        let mut out = html.to_owned();
        add_image(&mut out, "u");
        let image = "<img src=\"u\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">";
        assert_eq!(out, format!("{before}{image}{after}"), "{html}");
    };
    check("<body>Hi</body></html>\n", "<body>Hi", "</body></html>\n");
    check("<BODY>Hi</BODY >\n", "<BODY>Hi", "</BODY >\n");
    check("<p>Hi</p>\n", "<p>Hi</p>", "\n");
    check("Hi </", "Hi </", "");
    check("tiếng Việt</bódy", "tiếng Việt</bódy", "");
    check("", "", "");
}
