//! Faults of content are all found at once, each with its place.

use super::*;

fn content(format: BodyFormat, body: &str) -> Content {
    Content {
        template_name: "body.html".to_owned(),
        subject: "Hi".to_owned(),
        preheader: None,
        format,
        body: body.to_owned(),
        text: None,
        attachments: Vec::new(),
    }
}

fn check(content: &Content, expected: &[&str]) {
    let got: Vec<String> = match Compiled::compile(content) {
        Ok(_) => Vec::new(),
        Err(issues) => issues.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(got.len(), expected.len(), "{got:#?}");
    for (got, expected) in got.iter().zip(expected) {
        assert!(got.contains(expected), "{got}\n{expected}");
    }
}

#[test]
fn all_faults_are_told_with_template_line_and_column() {
    let mut c = content(BodyFormat::Html, "<p>a</p>\n<p>{{#if a}}b</p>");
    c.subject = "Hi {{shout name}}".to_owned();
    c.preheader = Some("{{> x}}".to_owned());
    check(
        &c,
        &[
            "body.html (subject):1:4: there is no helper shout",
            "body.html (preheader):1:1: there is no partial x",
            "body.html:2:",
        ],
    );
    c = content(BodyFormat::Text, " ");
    c.subject = String::new();
    check(&c, &["(subject):1:1: the subject is empty", "body.html:1:1: the body is empty"]);
}

#[test]
fn attachments_are_checked_and_limited() {
    let file = |name: &str, media_type: &str| Attachment {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        content_id: None,
        bytes: vec![0; 600],
    };
    let mut c = content(BodyFormat::Text, "a");
    c.attachments = vec![file("a.png", "image/png")];
    check(&c, &[]);
    c.attachments = vec![file("a", "png"), file("b\r\n", "message/rfc822")];
    c.attachments[0].content_id = Some("a>b".to_owned());
    check(&c, &["not a media type", "content id", "cannot be attached", "not a file name"]);
    c.attachments = vec![file("a.txt", "text/plain"), file("b.txt", "text/plain")];
    let limits = AttachmentLimits { count: 1, total_bytes: 1000 };
    let got = Compiled::compile_within(&c, limits).map(|_| ()).unwrap_err();
    assert_eq!(got.len(), 2, "{got:?}");
    assert_eq!(media_type_of("Bảng giá.XLSX"), media_type_of("a.xlsx"));
    assert_eq!(media_type_of("noextension"), "application/octet-stream");
}

#[test]
fn compiled_content_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Compiled>();
}
