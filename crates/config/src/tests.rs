//! The sample against the reader: it loads as it is, its examples load, its defaults are the defaults, and it
//! explains every key that the reader knows. The profiles that are compiled in are checked here too.

use super::*;
use postroad_model::limit::Keeper;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("secrets/postroad.key", "0123456789abcdef0123456789abcdef\n"),
            ("secrets/ses", "ses-password"),
            ("secrets/office-refresh", "refresh"),
            ("secrets/own-ca.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"),
            ("keys/news-s1.pem", "key"),
            ("profiles.toml", "[[profile]]\nid = \"mine\"\nneeds = []\n"),
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn parse(&self, text: &str) -> Result<Config, Error> {
        let env = |name: &str| Some(format!("value-of-{name}"));
        Config::parse(text.to_owned(), &self.0.path().join("postroad.toml"), &env)
    }
}

/// The blocks behind bare `#`, each as TOML text.
fn example_blocks() -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut open = false;
    for line in SAMPLE.lines() {
        match line.strip_prefix('#') {
            Some(toml) if toml.starts_with('[') => {
                open = true;
                blocks.push(format!("{toml}\n"));
            }
            Some(toml) if open && !toml.starts_with(' ') => {
                blocks.last_mut().unwrap().push_str(&format!("{toml}\n"));
            }
            Some(_) | None => open = false,
        }
    }
    blocks
}

/// The sample with the defaults behind bare `#` made active.
fn with_defaults_active() -> String {
    let mut open = false;
    let mut text = String::new();
    for line in SAMPLE.lines() {
        open = line.starts_with("#[") || (open && line.starts_with('#'));
        let is_default =
            !open && line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
        text.push_str(if is_default { &line[1..] } else { line });
        text.push('\n');
    }
    text
}

#[test]
fn the_sample_loads_as_it_is_and_names_no_problem() {
    let config = Folder::new().parse(SAMPLE).unwrap();
    assert_eq!(config.relays[0].profile, "sink");
    assert_eq!(config.pools[0].relays, ["sink"]);
    let warnings: Vec<_> =
        config.warnings.iter().filter(|w| !w.message.contains("chmod")).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn each_example_in_the_sample_loads_when_its_marks_are_taken_away() {
    let folder = Folder::new();
    let blocks = example_blocks();
    assert!(blocks.len() >= 8, "only {} blocks found", blocks.len());
    for block in &blocks {
        if let Err(error) = folder.parse(&format!("{SAMPLE}\n{block}")) {
            panic!("{block}\n{error}");
        }
    }
    let mut all = SAMPLE.to_owned();
    for block in &blocks {
        all.push_str(block);
    }
    if let Err(error) = folder.parse(&all) {
        panic!("all examples together:\n{error}");
    }
}

#[test]
fn the_one_line_examples_load_too() {
    let folder = Folder::new();
    let public_url = SAMPLE.replace("# example: public_url", "public_url");
    assert_eq!(
        folder.parse(&public_url).unwrap().web.public_url.as_deref(),
        Some("https://news.example.com")
    );
    let copies = SAMPLE
        .replace("# example: unknown_copies = 2", "unknown_copies = 2\non_unknown = \"resend\"");
    assert_eq!(
        folder.parse(&copies).unwrap().engine.on_unknown,
        postroad_model::campaign::OnUnknown::Resend { copies: 2 }
    );
    let brakes = folder.parse(&SAMPLE.replace("# example: min_inbox", "min_inbox")).unwrap();
    assert_eq!(brakes.placement.min_inbox, Some(brakes.placement.wanted_inbox()));
    assert_eq!(SAMPLE.matches("# example: ").count(), 3, "cover the new example here");
}

#[test]
fn the_defaults_that_the_sample_shows_are_the_defaults() {
    let folder = Folder::new();
    let active = with_defaults_active();
    assert!(active.matches('\n').count() == SAMPLE.matches('\n').count());
    assert!(
        active.contains("\nlease = ") && active.contains("\nurl = "),
        "nothing was made active"
    );
    let (plain, shown) = (folder.parse(SAMPLE).unwrap(), folder.parse(&active).unwrap());
    assert_eq!(plain.shown(), shown.shown());
    assert_eq!(shown.engine, Engine::default());
    assert_eq!(shown.web, Web::default());
    assert_eq!(shown.log, Log::default());
}

#[test]
fn the_sample_explains_every_key_that_the_reader_knows() {
    let folder = Folder::new();
    let mut text = with_defaults_active();
    for block in example_blocks() {
        text.push_str(&block);
    }
    let source = Source { path: folder.0.path().join("postroad.toml"), text };
    let problems = Problems::default();
    let env = |_: &str| Some("0123456789abcdef0123456789abcdef".to_owned());
    read(&source, &problems, &env).unwrap();
    let (_, _, keys) = problems.into_parts();
    assert!(keys.len() > 60, "only {} keys were asked for", keys.len());
    for (section, key) in keys {
        let mentioned = SAMPLE.match_indices(key).any(|(at, _)| {
            let is_word =
                |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            !is_word(SAMPLE[..at].chars().next_back())
                && !is_word(SAMPLE[at + key.len()..].chars().next())
        });
        assert!(mentioned, "the sample says nothing of {section}.{key}");
    }
}

#[test]
fn the_profiles_compiled_in_are_whole_and_have_no_problem() {
    let problems = Problems::default();
    let profiles = Profiles::built_in(&problems);
    let (errors, warnings, _) = problems.into_parts();
    assert!(errors.is_empty() && warnings.is_empty(), "{errors:?} {warnings:?}");
    let wanted = "gmail google-workspace workspace-relay outlook microsoft365 yahoo icloud zoho yandex ses \
                  sendgrid mailgun postmark mailjet brevo sparkpost resend mailtrap smtp2go generic sink";
    let mut wanted: Vec<&str> = wanted.split_whitespace().collect();
    wanted.sort_unstable();
    assert_eq!(profiles.ids(), wanted);
    for profile in profiles.iter() {
        let id = &profile.id;
        assert!(!profile.source.is_empty() && profile.verified_on.len() == 10, "{id}: source");
        assert!(SAMPLE.contains(id.as_str()), "{id} is not in the sample");
        let ledger = profile.limits.iter().any(|l| l.keeper == Keeper::Ledger);
        assert!(
            ledger || !profile.needs.is_empty() || profile.limits_none,
            "{id} is without limits"
        );
        for rule in &profile.replies {
            let Some(name) = &rule.limit else { continue };
            let known = profile.limits.iter().any(|l| l.name == *name);
            assert!(known || !profile.needs.is_empty(), "{id}: a rule speaks of an unknown {name}");
        }
    }
}
