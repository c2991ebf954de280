//! `campaign new`: a folder with campaign.toml and a shipped template, to be edited and then checked.
//!
//! Overwrites nothing; what it writes is read back by `spec` in a test.

use crate::{Error, Result};
use postroad_render::{Locale, shipped};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What to write.
#[derive(Clone, Debug)]
pub struct Scaffold<'a> {
    /// The campaign's name, also the folder's.
    pub name: &'a str,
    /// `newsletter`, `promotion`, `announcement` or `welcome`.
    pub template: &'a str,
    /// Language of template and helpers.
    pub locale: Locale,
    /// The list it goes to.
    pub list: &'a str,
    /// From as written.
    pub from: &'a str,
    /// The pool.
    pub pool: &'a str,
    /// IANA zone.
    pub zone: &'a str,
}

#[derive(Deserialize)]
struct TemplateSettings {
    subject: String,
    preheader: Option<String>,
}

/// Writes `folder/NAME/{campaign.toml, body.*}`; gives the folder.
///
/// # Errors
/// `Exists`, `UnknownTemplate`, `File`.
pub fn scaffold(folder: &Path, what: &Scaffold<'_>) -> Result<PathBuf> {
    let template = shipped::find(what.template, what.locale).ok_or_else(|| {
        let known: Vec<&str> =
            shipped::TEMPLATES.iter().filter(|t| t.locale == what.locale).map(|t| t.name).collect();
        Error::UnknownTemplate {
            name: what.template.to_owned(),
            locale: what.locale.tag().to_owned(),
            known: known.join(", "),
        }
    })?;
    let settings: TemplateSettings =
        toml::from_str(template.settings).expect("a test reads every shipped template's settings");
    let folder = folder.join(what.name);
    if folder.exists() {
        return Err(Error::Exists(folder));
    }
    std::fs::create_dir_all(&folder).map_err(|source| Error::File {
        what: "make",
        path: folder.clone(),
        source,
    })?;
    let campaign = campaign_toml(what, &settings, template.file_name);
    for (name, text) in [("campaign.toml", campaign.as_str()), (template.file_name, template.body)]
    {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|source| Error::File {
            what: "write",
            path: path.clone(),
            source,
        })?;
    }
    Ok(folder)
}

fn campaign_toml(what: &Scaffold<'_>, settings: &TemplateSettings, body: &str) -> String {
    let q = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut t = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(t, "{text}");
    };
    line(format!("# Campaign {}: edit, then `postroad campaign check {}`.", what.name, what.name));
    line(String::new());
    line(format!("lists = [{}]", q(what.list)));
    line("#exclude = [\"staff\"]                 # members of these lists are left out".into());
    line("#filter = \"city = 'Hanoi' AND provider <> 'google'\"".into());
    line(String::new());
    line(format!("from = {}", q(what.from)));
    line("#reply_to = \"answers@example.com\"".into());
    line(format!("subject = {}", q(&settings.subject)));
    if let Some(preheader) = &settings.preheader {
        line(format!("preheader = {}", q(preheader)));
    }
    line(format!("template = {}               # .mjml, .html or .txt", q(body)));
    line("#text = \"body.txt\"                    # absent: derived from the template".into());
    line(
        "#attachments = [{ file = \"terms.pdf\" }, { file = \"logo.png\", cid = \"logo\" }]".into(),
    );
    line(String::new());
    line(format!("pool = {}", q(what.pool)));
    line(format!("zone = {}", q(what.zone)));
    line(format!("locale = {}                        # en or vi", q(what.locale.tag())));
    line("#window = \"mon-fri 09:00-17:30\"       # absent: at any time".into());
    line("#latest_start = \"2027-01-31 12:00\"    # not started at all after this".into());
    line("#expires = \"2027-02-01 12:00\"         # nothing is sent after this".into());
    line("#seeds = \"all\"                        # or \"none\", or names of [[seed]]: [\"gmail-1\"]".into());
    line("#on_unknown = \"hold\"                  # or { resend = 2 }: at most two copies".into());
    // Seeds and a share of the audience go first; the rest follows when enough copies reached inboxes.
    line(
        "#canary = { share = \"1%\", wait = \"30m\", min_inbox = 0.8 } # seeds and 1 % go first"
            .into(),
    );
    line("#track_opens = false                   # true: an image tells of opens; ask your readers first".into());
    t
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Defaults, read};
    use postroad_model::campaign::OnUnknown;
    use postroad_model::when::Zone;

    #[test]
    fn every_shipped_template_makes_a_campaign_that_is_read_and_compiled() {
        let folder = tempfile::tempdir().unwrap();
        for template in shipped::TEMPLATES {
            let name = format!("{}-{}", template.name, template.locale.tag());
            let what = Scaffold {
                name: &name,
                template: template.name,
                locale: template.locale,
                list: "all \"people\"",
                from: "\"Lê, Anna\" <anna@news.example.com>",
                pool: "newsletter",
                zone: "Asia/Ho_Chi_Minh",
            };
            let made = scaffold(folder.path(), &what).unwrap();
            let (spec, files) = read(&made).unwrap();
            let defaults = Defaults { zone: Zone::utc(), on_unknown: OnUnknown::Hold };
            let settings = spec.settings(&files, &defaults).unwrap();
            assert_eq!(settings.lists, ["all \"people\""]);
            assert_eq!(settings.content.body, template.body);
            postroad_render::Compiled::compile(&settings.content).unwrap();
            assert!(matches!(scaffold(folder.path(), &what), Err(Error::Exists(_))));
        }
    }

    #[test]
    fn the_commented_lines_are_right_when_they_are_used() {
        let what = Scaffold {
            name: "x",
            template: "newsletter",
            locale: Locale::En,
            list: "all",
            from: "a@news.example.com",
            pool: "newsletter",
            zone: "UTC",
        };
        let settings = TemplateSettings { subject: "s".into(), preheader: None };
        let text = campaign_toml(&what, &settings, "body.html").replace("\n#", "\n");
        let folder = tempfile::tempdir().unwrap();
        for file in ["body.html", "body.txt", "terms.pdf", "logo.png"] {
            std::fs::write(folder.path().join(file), "x").unwrap();
        }
        let text = text.trim_start_matches("# Campaign x: edit, then `postroad campaign check x`.");
        let spec = crate::spec::parse("campaign.toml", text).unwrap();
        let defaults = Defaults { zone: Zone::utc(), on_unknown: OnUnknown::Hold };
        let settings = spec.settings(folder.path(), &defaults).unwrap();
        assert_eq!(settings.content.attachments.len(), 2);
        assert!(settings.window.is_some() && settings.filter.is_some());
        assert_eq!(settings.canary, Some(crate::canary_spec::DEFAULT));
    }
}
