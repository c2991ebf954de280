//! bounce: what was typed.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum BounceCommand {
    /// Say what mails are, one line for each recipient that they speak of; needs no configuration.
    Classify(ClassifyArgs),
    /// Tell in words how a mail was understood and what would be done about it.
    Explain(BounceExplainArgs),
    /// Take mails that came back: one from stdin, or a Maildir's or mbox file's.
    Process(ProcessArgs),
    /// Show what came back, the newest first.
    List(BounceListArgs),
    /// Show mails that were not understood, or one of them, or let go of it.
    Review(ReviewArgs),
}

#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// Mails, mbox files and folders (also Maildirs); `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BounceExplainArgs {
    /// The mail; `-` is stdin.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "With neither --maildir nor --mbox one mail is read from stdin, as mail servers and procmail \
                        pipe it. Taking a mail twice changes nothing. 75: try later, nothing is lost."
)]
pub struct ProcessArgs {
    /// Take the new mails of this Maildir; those that were bounces move to its cur folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "mbox")]
    pub maildir: Option<PathBuf>,
    /// Take the mails of this mbox file, which stays as it is.
    #[arg(long, value_name = "FILE")]
    pub mbox: Option<PathBuf>,
    /// Whom the mail from stdin was sent to in its envelope, e.g. "$ORIGINAL_RECIPIENT" of Postfix.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["mbox", "maildir"])]
    pub envelope_to: Option<String>,
}

#[derive(Debug, Args)]
pub struct BounceListArgs {
    /// Only of this campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Only about this address.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Only of this kind.
    #[arg(long, value_enum)]
    pub kind: Option<KindArg>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

/// A kind of bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// The address is dead.
    Hard,
    /// It may work another time.
    Soft,
    /// Somebody blocks us.
    Block,
    /// A person complained.
    Complaint,
    /// None of these.
    Other,
}

#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// Print this mail as it came.
    #[arg(long, value_name = "NUMBER")]
    pub show: Option<i64>,
    /// Let go of this mail.
    #[arg(long, value_name = "NUMBER", conflicts_with = "show")]
    pub done: Option<i64>,
}
