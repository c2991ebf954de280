//! mailbox: what was typed.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MailboxCommand {
    /// Log in, list the folders and leave: are host, certificate, login and folder right?
    Check(MailboxCheckArgs),
}

#[derive(Debug, Args)]
pub struct MailboxCheckArgs {
    /// The mailbox; all when absent.
    pub name: Option<String>,
}
