//! `tests/golden/<case>/{body.*, text.txt, context.json}` compose to `expected.eml`, octet for octet.
//!
//! `UPDATE_GOLDEN=1 cargo test -p postroad-render` writes the expectations anew; read the diff before committing.

use crate::facts::Case;
use crate::strict;
use postroad_model::campaign::{Attachment, BodyFormat, Content};
use postroad_render::{Compiled, media_type_of};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut dirs: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    dirs.sort();
    dirs
}

fn content(dir: &Path, context: &Value) -> Content {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let (format, file) = [
        (BodyFormat::Mjml, "body.mjml"),
        (BodyFormat::Html, "body.html"),
        (BodyFormat::Text, "body.txt"),
    ]
    .into_iter()
    .find(|(_, file)| dir.join(file).exists())
    .unwrap();
    let text = |name: &str| context.get(name).and_then(Value::as_str).map(str::to_owned);
    let files = context.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default();
    let attachment = |file: &Value| {
        let name = file["name"].as_str().unwrap().to_owned();
        let content_id = file["content_id"].as_str().map(str::to_owned);
        let bytes = file["content"].as_str().unwrap().repeat(20).into_bytes();
        Attachment { media_type: media_type_of(&name).to_owned(), name, content_id, bytes }
    };
    Content {
        template_name: file.to_owned(),
        subject: text("subject").unwrap(),
        preheader: text("preheader"),
        format,
        body: read(file).unwrap(),
        text: read("text.txt"),
        attachments: files.iter().map(attachment).collect(),
    }
}

#[test]
fn golden_cases_compose_to_the_expected_octets_and_read_strictly() {
    let mut differ = Vec::new();
    for dir in cases() {
        let context: Value =
            serde_json::from_str(&fs::read_to_string(dir.join("context.json")).unwrap()).unwrap();
        let compiled = Compiled::compile(&content(&dir, &context))
            .unwrap_or_else(|e| panic!("{dir:?}: {e:?}"));
        let case = Case::read(&context);
        let got = case.compose(&compiled);
        if case.address.needs_smtputf8() {
            strict::check_smtputf8(&got);
        } else {
            strict::check(&got);
        }
        let expected = dir.join("expected.eml");
        if std::env::vars().any(|(k, _)| k == "UPDATE_GOLDEN") {
            fs::write(&expected, &got).unwrap();
        } else if fs::read(&expected).unwrap_or_default() != got {
            differ.push(format!("{}:\n{}", expected.display(), String::from_utf8_lossy(&got)));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
