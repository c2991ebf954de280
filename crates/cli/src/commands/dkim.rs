//! `dkim generate|record`: keys for signing, and what their domain must publish.

use crate::app::{App, Runs};
use crate::args::{DkimCommand, DkimGenerateArgs, DkimRecordArgs, KeyChoice};
use crate::exit::{Exit, Fault};
use anyhow::{Context as _, Result};
use postroad_dkim::{DnsRecord, GeneratedKey, KeyAlgorithm, KeyRing};
use postroad_model::Domain;
use serde::Serialize;
use std::path::PathBuf;

pub fn run(app: &App, command: &DkimCommand) -> Result<Exit> {
    match command {
        DkimCommand::Generate(args) => generate(app, args),
        DkimCommand::Record(args) => record(app, args),
    }
}

/// One key as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    name: String,
    value: String,
    zone_line: String,
}

impl Line {
    fn of(domain: &Domain, record: &DnsRecord) -> Self {
        Self {
            domain: domain.as_str().into(),
            selector: None,
            key_file: None,
            name: record.name.clone(),
            value: record.value.clone(),
            zone_line: record.to_string(),
        }
    }
}

fn parse_domain(text: &str) -> Result<Domain> {
    Domain::parse(text).with_context(|| format!("{text:?} is no domain"))
}

fn generate(app: &App, args: &DkimGenerateArgs) -> Result<Exit> {
    let domain = parse_domain(&args.domain)?;
    let wanted: Vec<(KeyAlgorithm, String)> = match args.algorithm {
        KeyChoice::Rsa => vec![(KeyAlgorithm::Rsa, args.selector.clone())],
        KeyChoice::Ed25519 => vec![(KeyAlgorithm::Ed25519, args.selector.clone())],
        KeyChoice::Both => vec![
            (KeyAlgorithm::Rsa, args.selector.clone()),
            (KeyAlgorithm::Ed25519, format!("{}-ed", args.selector)),
        ],
    };
    let mut keys: Vec<(GeneratedKey, PathBuf, String)> = Vec::new();
    for (algorithm, selector) in wanted {
        let path = args.out.join(format!("{domain}-{selector}.pem"));
        if path.exists() {
            return Err(Fault::data(format!(
                "{} exists already and a key is never overwritten; take another --selector",
                path.display()
            ))
            .into());
        }
        keys.push((postroad_dkim::generate(&domain, &selector, algorithm)?, path, selector));
    }
    let mut lines = Vec::new();
    for (key, path, selector) in keys {
        key.write_to(&path)?;
        let line = Line::of(&domain, &key.record);
        lines.push(Line { selector: Some(selector), key_file: Some(path), ..line });
    }
    app.output.show(&lines, |lines| text(lines))?;
    app.output.say(format!("\nThen put the keys into postroad.toml:\n\n{}", toml(&domain, &lines)));
    Ok(Exit::Ok)
}

fn text(lines: &[Line]) -> String {
    let mut text = String::from("Publish in the domain's DNS:\n");
    for line in lines {
        text.push_str(&format!(
            "\nname   {}\ntype   TXT\nvalue  {}\n\nor as a line of a zone file:\n{}\n",
            line.name, line.value, line.zone_line
        ));
    }
    text
}

fn toml(domain: &Domain, lines: &[Line]) -> String {
    let keys: Vec<String> = lines
        .iter()
        .filter_map(|l| {
            let (selector, file) = (l.selector.as_ref()?, l.key_file.as_ref()?);
            Some(format!(
                "{{ selector = {selector:?}, key_file = {:?} }}",
                file.display().to_string()
            ))
        })
        .collect();
    format!("[[domain]]\nname = \"{domain}\"\ndkim = [{}]\n", keys.join(", "))
}

fn record(app: &App, args: &DkimRecordArgs) -> Result<Exit> {
    let config = app.config(Runs::Briefly)?;
    let only = args.domain.as_deref().map(parse_domain).transpose()?;
    let (ring, warnings) = KeyRing::load(&config.domains)?;
    warnings.iter().for_each(|w| app.output.warn(w));
    let lines: Vec<Line> = config
        .domains
        .iter()
        .filter(|d| only.as_ref().is_none_or(|o| *o == d.name))
        .flat_map(|d| ring.records(&d.name).into_iter().map(|r| Line::of(&d.name, &r)))
        .collect();
    if lines.is_empty() {
        let of = only.map_or_else(|| "any domain".to_owned(), |d| d.to_string());
        return Err(Fault::no_input(format!(
            "the configuration has no DKIM key of {of}; `postroad dkim generate DOMAIN` makes one"
        ))
        .into());
    }
    app.output.show(&lines, |lines| text(lines))?;
    Ok(Exit::Ok)
}
