//! Expressions survive MJML and CSS inlining in every place where a person would put one.

use super::*;

fn html(source: &str, format: BodyFormat) -> String {
    prepare("t", format, source, None).map(|p| p.html).unwrap_or_else(|e| panic!("{source}: {e:?}"))
}

fn check(format: BodyFormat, source: &str, holds: &[&str]) {
    let got = html(source, format);
    for part in holds {
        assert!(got.contains(part), "{source}\nlacks {part}\n{got}");
    }
    assert!(handlebars::Template::compile(&got).is_ok(), "{got}");
}

fn mjml(body: &str) -> String {
    format!("<mjml><mj-body>{body}</mj-body></mjml>")
}

fn check_refused(format: BodyFormat, source: &str, at: (usize, usize), with: &str) {
    let issues = prepare("t", format, source, None).map(|p| p.html).unwrap_err();
    let first = &issues[0];
    assert!(first.message.contains(with), "{source}: {first}");
    assert_eq!((first.line, first.column), at, "{source}: {first}");
}

#[test]
fn html_without_css_is_left_as_it_is() {
    let source = "<html><body><td {{#if a}}class=\"x\"{{/if}}>{{b}}</td></body></html>";
    assert_eq!(html(source, BodyFormat::Html), source);
    check(
        BodyFormat::Html,
        "<p>{{a}}</p>",
        &["<meta charset=\"utf-8\">", "<body><p>{{a}}</p></body>"],
    );
}

#[test]
fn css_is_inlined_around_expressions() {
    let css = "<style>p { color: {{brand}} } @media (max-width:600px) { p { color: red } }</style>";
    let page = |body: &str| format!("<html><head>{css}</head><body>{body}</body></html>");
    let html = BodyFormat::Html;
    check(html, &page("<p>{{x}}</p>"), &["<p style=\"color: {{brand}};\">{{x}}</p>", "@media"]);
    check(
        html,
        &page("<p title=\"{{#if a}}b{{else}}c{{/if}}\">d</p>"),
        &["title=\"{{#if a}}b{{else}}c{{/if}}\""],
    );
    check(
        html,
        &page("<p {{#if a}}class=\"x\"{{/if}}>d</p>"),
        &["<p {{#if a}}class=\"x\"{{/if}} style"],
    );
    check(
        html,
        &page("<p {{#if a}}class='x'{{else}}class='y' {{b}}{{/if}} id=z>d</p>"),
        &["{{#if a}}class='x'{{else}}class='y' {{b}}{{/if}}", "id=\"z\""],
    );
    check(
        html,
        &page("<table>{{#each r}}<tr><td>{{this}}</td></tr>{{/each}}</table>"),
        &["<table>{{#each r}}<tbody><tr><td>{{this}}</td></tr>{{/each}}"],
    );
    check(html, &page("<p>{{{raw}}} \\{{no}}</p>"), &["{{{raw}}} \\{{no}}"]);
    check(
        html,
        &page("<!--[if mso]><p>{{a}}</p><![endif]-->"),
        &["<!--[if mso]><p>{{a}}</p><![endif]-->"],
    );
    check(
        html,
        "<html><head><style>{{#if a}}p{color:red}{{/if}}</style></head><body><p>a</p></body></html>",
        &["{{#if a}}p{color:red}{{/if}}</style>", "<p>a</p>"],
    );
    check(
        html,
        &page("<a href=\"https://x.vn/?a=1&amp;b={{urlencode b}}\">d</a>"),
        &["href=\"https://x.vn/?a=1&amp;b={{urlencode b}}\""],
    );
}

#[test]
fn mjml_takes_expressions_in_text_attributes_and_between_sections() {
    let m = BodyFormat::Mjml;
    let column = |c: &str| mjml(&format!("<mj-section><mj-column>{c}</mj-column></mj-section>"));
    check(
        m,
        &column("<mj-text>Hi {{#if n}}{{n}}{{else}}you{{/if}}</mj-text>"),
        &["Hi {{#if n}}{{n}}{{else}}you{{/if}}"],
    );
    check(
        m,
        &column("<mj-button href=\"{{url}}\" background-color=\"{{brand}}\">Go {{x}}</mj-button>"),
        &["href=\"{{safe_url url}}\"", "background:{{brand}}", "Go {{x}}"],
    );
    check(
        m,
        &column("<mj-image src=\"{{img}}\" alt=\"{{alt}}\" href=\"https://x.vn/{{id}}\" />"),
        &["src=\"{{safe_url img}}\"", "alt=\"{{alt}}\"", "href=\"https://x.vn/{{id}}\""],
    );
    check(
        m,
        &column("<mj-table>{{#each r}}<tr><td>{{this}}</td></tr>{{/each}}</mj-table>"),
        &["{{#each r}}<tr><td>{{this}}</td></tr>{{/each}}"],
    );
    check(m, &column("{{#if a}}<mj-text>b</mj-text>{{/if}}"), &["{{#if a}}", "{{/if}}"]);
    let section = "<mj-section><mj-column><mj-text>b</mj-text></mj-column></mj-section>";
    check(
        m,
        &mjml(&format!("{{{{#each items}}}}{section}{{{{/each}}}}")),
        &["{{#each items}}", "{{/each}}"],
    );
    check(
        m,
        &mjml(&format!("<mj-raw>{{{{#if a}}}}</mj-raw>{section}<mj-raw>{{{{/if}}}}</mj-raw>")),
        &["{{#if a}}", "{{/if}}"],
    );
    let head = "<mjml><mj-head><mj-title>{{t}}</mj-title><mj-preview>{{p}}</mj-preview><mj-style inline=\"inline\">.x a{color:{{c}}}</mj-style>\
        <mj-style>.y{color:{{d}}}</mj-style></mj-head><mj-body><mj-section><mj-column><mj-text css-class=\"x\"><a href=\"{{unsubscribe_url}}\">u</a></mj-text>\
        </mj-column></mj-section></mj-body></mjml>";
    check(
        m,
        head,
        &[
            "<title>{{t}}</title>",
            "{{p}}",
            "<a href=\"{{unsubscribe_url}}\" style=\"color: {{c}};\">u</a>",
            ".y{color:{{d}}}",
        ],
    );
    assert!(!html(head, m).contains("fonts.googleapis"));
}

#[test]
fn the_start_of_a_link_is_guarded_whatever_stands_there() {
    let h = BodyFormat::Html;
    check(h, "<a href=\"{{{u}}}\">x</a>", &["href=\"{{safe_url u}}\""]);
    check(
        h,
        "<a href=\" {{default u \"https://x.vn\"}}/a\">x</a>",
        &["href=\" {{safe_url (default u \"https://x.vn\")}}/a\""],
    );
    check(
        h,
        "<a href=\"{{#if a}}{{u}}{{else}}https://x/{{v}}{{/if}}{{w}}\">x</a>",
        &["{{#if a}}{{safe_url u}}{{else}}https://x/{{v}}{{/if}}{{safe_url w}}"],
    );
    check(h, "<p title='{{{t}}}'>x</p>", &["title='{{t}}'"]);
}

#[test]
fn what_cannot_be_safe_or_would_be_lost_is_refused_with_its_place() {
    let h = BodyFormat::Html;
    check_refused(h, "<p>a</p>\n <a href={{u}}>x</a>", (2, 10), "in quotes");
    check_refused(h, "<p onclick=\"f({{u}})\">x</p>", (1, 15), "onclick");
    check_refused(h, "<script>var a = {{u}}</script>", (1, 17), "json");
    check_refused(h, "<a {{#if a}}href=\"{{u}}\"{{/if}}>x</a>", (1, 4), "inside the quotes");
    check_refused(h, "<a {{#if a}} class=\"b\">x</a>{{/if}}", (1, 4), "inside the same tag");
    check_refused(h, "<p>{{a</p>", (1, 4), "never closed");
    check(h, "<script type=\"application/ld+json\">{\"a\":{{json a}}}</script>", &["{{json a}}"]);
    let m = BodyFormat::Mjml;
    check_refused(
        m,
        "<mjml>\n<mj-body><mj-nope>{{a}}</mj-nope></mj-body></mjml>",
        (2, 10),
        "no element mj-nope",
    );
    check_refused(m, "<p>{{a}}</p>", (1, 1), "MJML");
    check_refused(
        m,
        &mjml(
            "<mj-section><mj-column><mj-spacer height=\"20px\">{{a}}</mj-spacer></mj-column></mj-section>",
        ),
        (1, 64),
        "",
    );
}

#[test]
fn the_preheader_is_hidden_after_body_unless_it_is_placed() {
    let with = |source: &str| prepare("t", BodyFormat::Html, source, Some("p")).unwrap().html;
    assert!(
        with("<body class=\"a\"><p>x</p></body>")
            .contains("<body class=\"a\"><div style=\"display:none")
    );
    assert!(!with("<body>{{preheader}}</body>").contains("display:none"));
}

#[test]
fn places_lead_back_to_the_source_through_mjml_and_inlining() {
    let source = "<mjml><mj-body><mj-section><mj-column>\n<mj-text>a</mj-text>\n<mj-text>é {{who}}</mj-text>\n</mj-column></mj-section></mj-body></mjml>";
    let got = prepare("t", BodyFormat::Mjml, source, None).unwrap();
    let offset = got.html.find("{{who}}").unwrap();
    assert_eq!(got.positions.source(position(&got.html, offset)), (3, 12));
}
