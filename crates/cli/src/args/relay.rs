//! relay: what was typed.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum RelayCommand {
    /// Show all relays with their limits, what is used, and who serves them.
    List,
    /// Connect, log in and leave: is the relay reachable, are certificate and login right?
    Test(RelayTestArgs),
    /// Send nothing through a relay for a while.
    Pause(RelayPauseArgs),
    /// Let a paused relay send again.
    Resume(RelayNameArgs),
}

#[derive(Debug, Args)]
pub struct RelayTestArgs {
    /// The relay; all when absent.
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct RelayPauseArgs {
    /// The relay.
    pub name: String,
    /// For how long, e.g. 2h; until `resume` when absent.
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<String>,
    /// Why, for whoever looks at it next.
    #[arg(long, default_value = "paused by the operator", value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct RelayNameArgs {
    /// The relay.
    pub name: String,
}
