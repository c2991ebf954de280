//! A campaign as its author writes it: campaign.toml with files beside it, or flags; made into settings by content.
//!
//! Called by `cli` before check, plan, test and schedule. All faults are told at once, each with file, line and
//! key, an unknown key with the nearest right one. What must hold: nothing of the files is read later; the
//! settings hold the template's and attachments' content.

use crate::canary_spec::{CANARY_KEYS, RawCanary};
use crate::filter;
use crate::spec_keys::{KEYS, nearest};
use postroad_model::address::Mailbox;
use postroad_model::campaign::{Attachment, BodyFormat, CampaignSettings, Content, OnUnknown};
use postroad_model::canary::Canary;
use postroad_model::seed::SeedChoice;
use postroad_model::send_window::SendWindow;
use postroad_model::when::{Zone, parse_when};
use postroad_model::{Timestamp, address};
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// One fault of a campaign's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `campaign.toml:7`, or a flag.
    pub place: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with a campaign's description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the campaign's settings cannot be used:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
pub struct SpecError(pub Vec<Problem>);

/// The keys of campaign.toml, all optional, so that flags can stand in for a file or override it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSpec {
    /// Names of the lists it goes to.
    pub lists: Vec<String>,
    /// Names of the lists whose members are left out.
    pub exclude: Vec<String>,
    /// A condition like a SQL WHERE.
    pub filter: Option<String>,
    /// `Name <address>`.
    pub from: Option<String>,
    /// Reply-To.
    pub reply_to: Option<String>,
    /// Subject, a template.
    pub subject: Option<String>,
    /// Preheader, a template.
    pub preheader: Option<String>,
    /// The body's file, beside campaign.toml: .mjml, .html or .txt.
    pub template: Option<String>,
    /// The text part's file; derived from the body when absent.
    pub text: Option<String>,
    /// Files that go with it.
    pub attachments: Vec<RawAttachment>,
    /// The pool.
    pub pool: Option<String>,
    /// When it may send: `mon-fri 09:00-17:30`.
    pub window: Option<String>,
    /// IANA zone of window, times and date helpers.
    pub zone: Option<String>,
    /// `en` or `vi`.
    pub locale: Option<String>,
    /// No start after this.
    pub latest_start: Option<String>,
    /// Nothing is sent after this.
    pub expires: Option<String>,
    /// `all`, `none`, or the names of the seeds that it goes to.
    pub seeds: Option<RawSeeds>,
    /// `hold`, or `resend` with the copies in all.
    pub on_unknown: Option<RawOnUnknown>,
    /// Seeds and a share of the audience go first, and decide.
    pub canary: Option<RawCanary>,
    /// Whether opens are counted by an image.
    pub track_opens: Option<bool>,
}

/// A file that goes with every message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAttachment {
    /// The file, beside campaign.toml.
    pub file: String,
    /// Its name for the recipient; the file's own when absent.
    pub name: Option<String>,
    /// Media type; by the file's extension when absent.
    #[serde(rename = "type")]
    pub media_type: Option<String>,
    /// Content id for `cid:` in the body.
    pub cid: Option<String>,
}

/// `"all"`, `"none"` or `["gmail-1", "yahoo-1"]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RawSeeds {
    /// A word.
    Word(String),
    /// Names.
    Names(Vec<String>),
}

/// `"hold"` or `{ resend = 2 }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RawOnUnknown {
    /// A word.
    Word(String),
    /// Copies in all.
    Copies {
        /// At least 2.
        resend: u8,
    },
}

/// What holds where neither file nor flags say.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The zone.
    pub zone: Zone,
    /// What becomes of unknown rows.
    pub on_unknown: OnUnknown,
}

/// Largest file that is read.
const MAX_FILE: u64 = 25 * 1024 * 1024;

/// Reads the text of campaign.toml.
///
/// # Errors
/// The first fault of syntax or key; faults of values are found by [`RawSpec::settings`].
pub fn parse(name: &str, text: &str) -> Result<RawSpec, SpecError> {
    toml::from_str(text).map_err(|e| {
        let line =
            e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        let mut message = e.message().replace('\n', " ");
        if let Some(key) = message.strip_prefix("unknown field `").and_then(|m| m.split('`').next())
        {
            message = match nearest(key) {
                _ if CANARY_KEYS.iter().all(|k| e.message().contains(&format!("`{k}`"))) => {
                    format!("unknown key {key} of canary; the keys are {}", CANARY_KEYS.join(", "))
                }
                Some(near) => format!("unknown key {key}; did you mean {near}?"),
                None => format!("unknown key {key}; the keys are {}", KEYS.join(", ")),
            };
        }
        SpecError(vec![Problem { place: format!("{name}:{line}"), message }])
    })
}

/// Reads a campaign's folder or campaign.toml; gives the raw settings and the folder of its files.
///
/// # Errors
/// When the file cannot be read or has a fault.
pub fn read(path: &Path) -> crate::Result<(RawSpec, PathBuf)> {
    let file = if path.is_dir() { path.join("campaign.toml") } else { path.to_owned() };
    let text = std::fs::read_to_string(&file).map_err(|source| crate::Error::File {
        what: "read",
        path: file.clone(),
        source,
    })?;
    let spec = parse(&file.display().to_string(), &text)?;
    Ok((spec, file.parent().map(Path::to_owned).unwrap_or_default()))
}

impl RawSpec {
    /// These settings with another's in place where it has any: flags over the file.
    #[must_use]
    pub fn overridden_by(self, over: Self) -> Self {
        let several = |a: Vec<String>, b: Vec<String>| if b.is_empty() { a } else { b };
        Self {
            lists: several(self.lists, over.lists),
            exclude: several(self.exclude, over.exclude),
            filter: over.filter.or(self.filter),
            from: over.from.or(self.from),
            reply_to: over.reply_to.or(self.reply_to),
            subject: over.subject.or(self.subject),
            preheader: over.preheader.or(self.preheader),
            template: over.template.or(self.template),
            text: over.text.or(self.text),
            attachments: if over.attachments.is_empty() {
                self.attachments
            } else {
                over.attachments
            },
            pool: over.pool.or(self.pool),
            window: over.window.or(self.window),
            zone: over.zone.or(self.zone),
            locale: over.locale.or(self.locale),
            latest_start: over.latest_start.or(self.latest_start),
            expires: over.expires.or(self.expires),
            seeds: over.seeds.or(self.seeds),
            on_unknown: over.on_unknown.or(self.on_unknown),
            canary: match (self.canary, over.canary) {
                (Some(file), Some(flags)) => Some(file.overridden_by(flags)),
                (file, flags) => flags.or(file),
            },
            track_opens: over.track_opens.or(self.track_opens),
        }
    }

    /// Checks every value and reads the files beside it, from `folder`.
    ///
    /// # Errors
    /// All faults.
    pub fn settings(
        &self,
        folder: &Path,
        defaults: &Defaults,
    ) -> Result<CampaignSettings, SpecError> {
        let mut r = Reading { folder, problems: Vec::new() };
        if self.lists.is_empty() {
            r.problem("lists", "names no list; write lists = [\"newsletter\"]");
        }
        let zone = match &self.zone {
            None => defaults.zone.clone(),
            Some(name) => match Zone::parse(name) {
                Ok(zone) => zone,
                Err(e) => {
                    r.problem("zone", e.to_string());
                    defaults.zone.clone()
                }
            },
        };
        if let Some(text) = &self.filter
            && let Err(e) = filter::parse(text, &zone)
        {
            r.problem("filter", e.to_string());
        }
        let window = self.window.as_ref().and_then(|text| {
            SendWindow::parse(text, zone.clone())
                .map_err(|e| r.problem("window", e.to_string()))
                .ok()
        });
        let locale = self.locale.clone().unwrap_or_else(|| "en".into());
        if postroad_render::Locale::parse(&locale).is_none() {
            r.problem("locale", format!("{locale:?} is not known; write en or vi"));
        }
        let from = r.mailbox("from", self.from.as_deref());
        if self.from.is_none() {
            r.problem("from", "is missing; write from = \"Name <address>\"");
        }
        let pool = self.pool.clone().unwrap_or_else(|| {
            r.problem("pool", "is missing; it names a [[pool]] of the configuration");
            String::new()
        });
        let settings = CampaignSettings {
            lists: self.lists.clone(),
            exclude: self.exclude.clone(),
            filter: self.filter.clone(),
            reply_to: r.mailbox("reply_to", self.reply_to.as_deref()),
            pool,
            window,
            latest_start: r.time("latest_start", self.latest_start.as_deref(), &zone),
            expires_at: r.time("expires", self.expires.as_deref(), &zone),
            seeds: r.seeds(self.seeds.as_ref()),
            on_unknown: r.on_unknown(self.on_unknown.as_ref(), defaults.on_unknown),
            canary: self.canary.as_ref().and_then(|raw| r.canary(raw)),
            track_opens: self.track_opens.unwrap_or_default(),
            content: r.content(self),
            locale,
            zone: zone.name().to_owned(),
            from: from.unwrap_or_else(nobody),
        };
        if r.problems.is_empty() { Ok(settings) } else { Err(SpecError(r.problems)) }
    }
}

/// Stands in for a From that has a fault; never leaves this module.
fn nobody() -> Mailbox {
    let address = address::EmailAddress::parse("nobody@example.invalid");
    Mailbox { name: None, address: address.expect("a literal address is one") }
}

struct Reading<'a> {
    folder: &'a Path,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: key.to_owned(), message: message.into() });
    }

    fn mailbox(&mut self, key: &str, text: Option<&str>) -> Option<Mailbox> {
        let text = text?;
        Mailbox::parse(text).map_err(|e| self.problem(key, format!("{text:?}: {e}"))).ok()
    }

    fn time(&mut self, key: &str, text: Option<&str>, zone: &Zone) -> Option<Timestamp> {
        let text = text?;
        parse_when(text, Some(zone))
            .map(|w| w.at)
            .map_err(|e| self.problem(key, e.to_string()))
            .ok()
    }

    fn seeds(&mut self, raw: Option<&RawSeeds>) -> SeedChoice {
        match raw {
            None => SeedChoice::All,
            Some(RawSeeds::Word(w)) if w == "all" => SeedChoice::All,
            Some(RawSeeds::Word(w)) if w == "none" => SeedChoice::None,
            Some(RawSeeds::Names(names)) if !names.is_empty() => SeedChoice::Named(names.clone()),
            Some(RawSeeds::Word(_) | RawSeeds::Names(_)) => {
                self.problem("seeds", "write \"all\", \"none\", or names like [\"gmail-1\"]");
                SeedChoice::All
            }
        }
    }

    fn on_unknown(&mut self, raw: Option<&RawOnUnknown>, default: OnUnknown) -> OnUnknown {
        match raw {
            None => default,
            Some(RawOnUnknown::Word(w)) if w == "hold" => OnUnknown::Hold,
            Some(RawOnUnknown::Word(w)) if w == "resend" => OnUnknown::Resend { copies: 2 },
            Some(RawOnUnknown::Copies { resend }) if *resend >= 2 => {
                OnUnknown::Resend { copies: *resend }
            }
            Some(RawOnUnknown::Word(_) | RawOnUnknown::Copies { .. }) => {
                self.problem(
                    "on_unknown",
                    "write \"hold\", or { resend = 2 } for two copies at most",
                );
                default
            }
        }
    }

    fn canary(&mut self, raw: &RawCanary) -> Option<Canary> {
        raw.read().map_err(|faults| faults.into_iter().for_each(|(k, m)| self.problem(k, m))).ok()
    }

    fn content(&mut self, spec: &RawSpec) -> Content {
        let template = spec.template.clone().unwrap_or_else(|| {
            self.problem(
                "template",
                "is missing; it names the body's file: body.mjml, body.html or body.txt",
            );
            String::new()
        });
        let subject = spec.subject.clone().unwrap_or_else(|| {
            self.problem("subject", "is missing");
            String::new()
        });
        let format = match template.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).as_deref()
        {
            Some("mjml") => BodyFormat::Mjml,
            Some("txt") => BodyFormat::Text,
            Some("html" | "htm") => BodyFormat::Html,
            Some(_) | None => {
                if !template.is_empty() {
                    let message = format!("{template:?} must end in .mjml, .html or .txt");
                    self.problem("template", message);
                }
                BodyFormat::Html
            }
        };
        let body =
            if template.is_empty() { String::new() } else { self.text_file("template", &template) };
        Content {
            template_name: template,
            subject,
            preheader: spec.preheader.clone(),
            format,
            body,
            text: spec.text.as_ref().map(|file| self.text_file("text", file)),
            attachments: spec.attachments.iter().filter_map(|a| self.attachment(a)).collect(),
        }
    }

    fn attachment(&mut self, raw: &RawAttachment) -> Option<Attachment> {
        let bytes = self.file("attachments", &raw.file)?;
        let own = Path::new(&raw.file).file_name().map(|n| n.to_string_lossy().into_owned());
        let name = raw.name.clone().or(own).unwrap_or_else(|| raw.file.clone());
        let media_type = raw
            .media_type
            .clone()
            .unwrap_or_else(|| postroad_render::media_type_of(&name).to_owned());
        Some(Attachment { name, media_type, content_id: raw.cid.clone(), bytes })
    }

    fn text_file(&mut self, key: &str, name: &str) -> String {
        let Some(bytes) = self.file(key, name) else { return String::new() };
        match String::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text),
            Err(e) => {
                let at = e.utf8_error().valid_up_to();
                self.problem(key, format!("{name} is not UTF-8 (octet {at}); save it as UTF-8"));
                String::new()
            }
        }
    }

    fn file(&mut self, key: &str, name: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        let read = std::fs::metadata(&path).and_then(|m| {
            if m.len() > MAX_FILE {
                return Err(std::io::Error::other(format!("it is larger than {MAX_FILE} octets")));
            }
            std::fs::read(&path)
        });
        read.map_err(|e| self.problem(key, format!("cannot read {}: {e}", path.display()))).ok()
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
