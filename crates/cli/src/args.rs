//! The command tree: what was typed, as types. The doc comments are the help text.
//!
//! Nouns are singular and take their plural as an alias. Nothing is read, checked or decided here.

mod bounce;
mod campaign;
mod contact;
mod mailbox;
mod relay;
mod seed;
mod sink;

pub use bounce::*;
pub use campaign::*;
pub use contact::*;
pub use mailbox::{MailboxCheckArgs, MailboxCommand};
pub use relay::*;
pub use seed::*;
pub use sink::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Sends bulk e-mail campaigns through the relays you have: never over quota, never twice, never lost.
#[derive(Debug, Parser)]
#[command(name = "postroad", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(
    after_help = "Start with `postroad init` in an empty folder, or see everything at once with \
                        `postroad demo`.\nExit codes: 0 done, 64 usage, 65 data, 66 not found, 69 unavailable, \
                        70 fault of the program, 74 input or output, 75 try later, 77 not allowed, 78 \
                        configuration."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration; else ./postroad.toml, else /etc/postroad/postroad.toml.
    #[arg(long, global = true, env = "POSTROAD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What stdout carries: text for people, or JSON for programs.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub format: Format,
    /// Log more: -v what happens, -vv why, -vvv every command and reply.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors and data.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first configuration, key and folders, and say what comes next.
    Init(InitArgs),
    /// Check configuration, database, keys, ports and relays, and say what to do.
    Doctor,
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The database.
    #[command(subcommand)]
    Db(DbCommand),
    /// People: import, export, show, erase.
    #[command(subcommand, visible_alias = "contacts")]
    Contact(ContactCommand),
    /// Named sets of contacts.
    #[command(subcommand, visible_alias = "lists")]
    List(ListCommand),
    /// Addresses that must not be mailed.
    #[command(subcommand, visible_alias = "suppressions")]
    Suppression(SuppressionCommand),
    /// What is sent, to whom, when.
    #[command(subcommand, visible_alias = "campaigns")]
    Campaign(Box<CampaignCommand>),
    /// What comes back: bounces, complaints, automatic answers.
    #[command(subcommand, visible_alias = "bounces")]
    Bounce(BounceCommand),
    /// One recipient's whole story in a campaign.
    Explain(ExplainArgs),
    /// What we send through.
    #[command(subcommand, visible_alias = "relays")]
    Relay(RelayCommand),
    /// Mailboxes that bounces come back to.
    #[command(subcommand, visible_alias = "mailboxes")]
    Mailbox(MailboxCommand),
    /// Mailboxes of your own that get each campaign, to see where it lands.
    #[command(subcommand, visible_alias = "seeds")]
    Seed(SeedCommand),
    /// Keys that sign messages.
    #[command(subcommand)]
    Dkim(DkimCommand),
    /// Send what is due and serve unsubscribes and metrics, until stopped.
    Serve(ServeArgs),
    /// Campaigns, relays and recent trouble at a glance, again each second; q quits.
    Top(TopArgs),
    /// Let the running `serve` on this machine read its configuration again, once it is checked.
    Reload,
    /// An SMTP server for trying things: takes mail, sends none, fails as told.
    Sink(Box<SinkArgs>),
    /// A whole campaign to 5,000 made-up people through three pretended relays, on this machine alone.
    Demo(DemoArgs),
    /// Write a completion script for a shell.
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder; it is made when it is not there.
    #[arg(default_value = ".", value_name = "FOLDER")]
    pub folder: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Name every problem with its place and the nearest right key.
    Check,
    /// Show what holds, with all defaults and limits, secrets masked.
    Show,
}

#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Bring the database to this program's schema; every start does the same.
    Migrate,
    /// Count every campaign's rows and hold them against its counters.
    Check,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Whom.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// In which campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: String,
}

#[derive(Debug, Subcommand)]
pub enum DkimCommand {
    /// Make new keys for a domain and print what to publish in its DNS.
    Generate(DkimGenerateArgs),
    /// Print the DNS records of the configured keys.
    Record(DkimRecordArgs),
}

#[derive(Debug, Args)]
pub struct DkimGenerateArgs {
    /// The domain in From, e.g. news.example.com.
    pub domain: String,
    /// Name of the first key; letters, digits and hyphens.
    #[arg(long, default_value = "s1")]
    pub selector: String,
    /// Which kinds of key: rsa is understood everywhere, ed25519 is added beside it.
    #[arg(long, value_enum, default_value_t = KeyChoice::Rsa)]
    pub algorithm: KeyChoice,
    /// The folder that the keys are written to.
    #[arg(long, default_value = "keys", value_name = "FOLDER")]
    pub out: PathBuf,
}

/// Which keys to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyChoice {
    /// RSA with 2048 bits.
    Rsa,
    /// Ed25519 (RFC 8463).
    Ed25519,
    /// One of each: both sign.
    Both,
}

#[derive(Debug, Args)]
pub struct DkimRecordArgs {
    /// The domain; all when absent.
    pub domain: Option<String>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Send nothing: unsubscribes, web views and metrics only.
    #[arg(long)]
    pub no_engine: bool,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    /// Print one frame as text and end; so it is where stdout is no terminal.
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// An empty folder; the first of demo, demo-2, ... that is not there when absent.
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests;
