//! campaign: what was typed.

use crate::page::Lang;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Write campaigns/NAME/ from a shipped template, to be edited.
    New(CampaignNewArgs),
    /// Compose every message and report whoever cannot get one, links, size, alignment, capacity.
    Check(CampaignArgs),
    /// Show who goes when, through which relay, and when it ends.
    Plan(CampaignArgs),
    /// Send the real thing to yourself through each relay of the pool.
    Test(CampaignTestArgs),
    /// Copy settings and template, and start at a time.
    Schedule(CampaignScheduleArgs),
    /// Send this campaign in the foreground until it ends or is stopped.
    Run(CampaignRunArgs),
    /// Stop leasing; `resume` goes on.
    Pause(CampaignNameArgs),
    /// Go on after `pause`, a brake or a canary.
    Resume(CampaignResumeArgs),
    /// End it for good; what was not sent never will be.
    Cancel(CampaignNameArgs),
    /// Show where it stands.
    Status(CampaignStatusArgs),
    /// Show all figures, counted row by row; or write them as a page.
    Report(CampaignReportArgs),
    /// Open rows again that ended without being accepted.
    Retry(CampaignRetryArgs),
    /// Write its rows as CSV (or JSON lines) to stdout.
    Export(CampaignExportArgs),
    /// Show all campaigns.
    List,
}

#[derive(Debug, Args)]
pub struct CampaignNewArgs {
    /// Its name; the folder campaigns/NAME is made.
    pub name: String,
    /// Which shipped template: newsletter, promotion, announcement or welcome.
    #[arg(long, default_value = "newsletter", value_name = "NAME")]
    pub template: String,
    /// The template's language: en or vi.
    #[arg(long, default_value = "en", value_name = "LANGUAGE")]
    pub lang: String,
    /// The lists it goes to, written into campaign.toml.
    #[arg(long = "list", value_name = "NAME")]
    pub lists: Vec<String>,
    /// The pool, written into campaign.toml.
    #[arg(long, value_name = "NAME")]
    pub pool: Option<String>,
    /// From, written into campaign.toml, e.g. "News <news@example.com>".
    #[arg(long, value_name = "MAILBOX")]
    pub from: Option<String>,
}

/// A campaign by the name of its folder, by its folder or file, or by flags alone.
#[derive(Debug, Args)]
pub struct CampaignArgs {
    /// Its name: campaigns/NAME/campaign.toml is read.
    pub name: String,
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// Everything that campaign.toml may say; a flag wins over the file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Campaign (instead of campaign.toml, or over it)")]
pub struct SpecArgs {
    /// Another file than campaigns/NAME/campaign.toml.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A list it goes to; may be given more than once.
    #[arg(long = "list", value_name = "NAME")]
    pub lists: Vec<String>,
    /// A list whose members are left out; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub exclude: Vec<String>,
    /// Who of them, as a SQL condition: "city = 'Hanoi' and age >= 18".
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,
    /// From, e.g. "News <news@example.com>".
    #[arg(long, value_name = "MAILBOX")]
    pub from: Option<String>,
    /// Reply-To.
    #[arg(long, value_name = "MAILBOX")]
    pub reply_to: Option<String>,
    /// The subject, a template.
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// What inboxes show after the subject.
    #[arg(long, value_name = "TEXT")]
    pub preheader: Option<String>,
    /// The body: a file that ends in .mjml, .html or .txt.
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// A text part of your own; derived from the body when absent.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// A file that goes with every message; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// The pool of relays.
    #[arg(long, value_name = "NAME")]
    pub pool: Option<String>,
    /// When it may send, e.g. "mon-fri 09:00-18:00".
    #[arg(long, value_name = "DAYS HOURS")]
    pub window: Option<String>,
    /// The zone of the window and of dates in the template.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Do not start after this time.
    #[arg(long, value_name = "TIME")]
    pub latest_start: Option<String>,
    /// Send nothing after this time.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// Seed mailboxes that get it too: all, none, or a name; may be given more than once.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub seeds: Vec<String>,
    /// Messages whose answer was lost: hold (nobody gets it twice) or resend.
    #[arg(long, value_name = "POLICY")]
    pub on_unknown: Option<String>,
    /// Language of generated texts, dates and numbers: en or vi.
    #[arg(long, value_name = "LANGUAGE")]
    pub locale: Option<String>,
    /// A canary: seeds and this share of the audience go first, e.g. 1%; the rest when enough copies reached inboxes.
    #[arg(long, value_name = "SHARE")]
    pub canary_share: Option<String>,
    /// How long the canary's copies are looked for; 30m when absent.
    #[arg(long, value_name = "DURATION")]
    pub canary_wait: Option<String>,
    /// The inbox rate that lets the campaign go on; 0.8 when absent.
    #[arg(long, value_name = "RATE")]
    pub canary_min_inbox: Option<String>,
    /// Count opens by an image in each message, compared between mailbox providers; off unless said.
    #[arg(long)]
    pub track_opens: bool,
}

#[derive(Debug, Args)]
pub struct CampaignTestArgs {
    /// Its name: campaigns/NAME/campaign.toml is read.
    pub name: String,
    /// Where the test goes; a contact's own data are used when it is one.
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// Only through this relay of the pool.
    #[arg(long, value_name = "NAME")]
    pub relay: Option<String>,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Debug, Args)]
pub struct CampaignScheduleArgs {
    /// Its name: campaigns/NAME/campaign.toml is read.
    pub name: String,
    /// When it starts: "2026-12-01 09:00 Asia/Ho_Chi_Minh"; now when absent.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Show what would be scheduled, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Debug, Args)]
pub struct CampaignRunArgs {
    /// A scheduled or running campaign.
    pub name: String,
    /// End with code 75 and the time when all quota is used, instead of waiting for it.
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, Args)]
pub struct CampaignNameArgs {
    /// The campaign.
    pub name: String,
}

#[derive(Debug, Args)]
pub struct CampaignResumeArgs {
    /// The campaign.
    pub name: String,
    /// Go on whatever the canary or a brake found; this is recorded.
    #[arg(long)]
    pub anyway: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", requires = "anyway")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct CampaignReportArgs {
    /// The campaign.
    pub name: String,
    /// Write one self-contained page with numbers and plots instead; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// The page's language.
    #[arg(long, value_enum, default_value_t = Lang::En, requires = "html")]
    pub lang: Lang,
}

#[derive(Debug, Args)]
pub struct CampaignStatusArgs {
    /// The campaign.
    pub name: String,
    /// Show it again and again until it ends.
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct CampaignRetryArgs {
    /// The campaign.
    pub name: String,
    /// Which rows: rejected, failed, expired, bounced, unknown; may be given more than once.
    #[arg(long = "state", value_name = "STATE", required = true, value_delimiter = ',')]
    pub states: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CampaignExportArgs {
    /// The campaign.
    pub name: String,
    /// Only rows in these states; all when absent.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    pub states: Vec<String>,
}
