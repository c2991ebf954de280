//! seed: what was typed.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum SeedCommand {
    /// Log in to every seed mailbox, find inbox and spam folder, and say what is missing.
    Check(SeedCheckArgs),
    /// Where a campaign's copies landed, by relay and mailbox provider, and the inbox rate: an estimate.
    Report(SeedReportArgs),
}

#[derive(Debug, Args)]
pub struct SeedCheckArgs {
    /// The seed; all when absent.
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct SeedReportArgs {
    /// The campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: String,
    /// Look into the mailboxes first, for every copy that was not found yet; `serve` does that by itself.
    #[arg(long)]
    pub look: bool,
}
