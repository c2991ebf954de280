//! sink: what was typed.

use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct SinkArgs {
    /// Where it listens; port 0 takes any free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:2525", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Its name in records.
    #[arg(long, default_value = "sink", value_name = "NAME")]
    pub name: String,
    /// Behave as a well-known relay does.
    #[arg(long, value_enum, value_name = "OPERATOR")]
    pub like: Option<Like>,
    /// With --like: recipients in any 24 hours; 500 for gmail, 50000 for ses when absent.
    #[arg(long, value_name = "NUMBER", requires = "like")]
    pub per_day: Option<u64>,
    /// With --like ses: recipients a second.
    #[arg(long, default_value_t = 14, value_name = "NUMBER", requires = "like")]
    pub per_second: u64,
    /// A behaviour file (TOML): replies, quotas, latency, faults; docs/guide/sink.md shows it.
    #[arg(long, value_name = "FILE", conflicts_with = "like")]
    pub behaviour: Option<PathBuf>,
    /// Answer RCPT for a domain or address so: "gone.example=550 5.1.1 No such user"; may be given more than once.
    #[arg(long, value_name = "WHO=REPLY")]
    pub reply: Vec<String>,
    /// Defer the first try of each sender and recipient for so long, e.g. 10s.
    #[arg(long, value_name = "DURATION")]
    pub greylist: Option<String>,
    /// Take so long before each answer to a message, e.g. 20ms.
    #[arg(long, value_name = "DURATION")]
    pub latency: Option<String>,
    /// Close the connection instead of answering, at a phase with a probability: "dot=0.01"; may be given more than once.
    #[arg(long, value_name = "PHASE=PROBABILITY")]
    pub drop: Vec<String>,
    /// Where randomness begins.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub seed: u64,
    /// Encryption.
    #[arg(long, value_enum, default_value_t = SinkTls::Off)]
    pub tls: SinkTls,
    /// Certificate chain in PEM; without it one for localhost and 127.0.0.1 is made.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its key in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Write the certificate that was made to this file, for ca_file of a relay.
    #[arg(long, value_name = "FILE", conflicts_with = "cert")]
    pub ca_out: Option<PathBuf>,
    /// An account that may log in, USER:PASSWORD; with one, nobody sends without a login. May be given more than once.
    #[arg(long, value_name = "USER:PASSWORD")]
    pub account: Vec<String>,
    /// Keep each message as a file in this folder.
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Append a line of JSON per RCPT, final dot and acceptance to this file.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// A well-known relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Like {
    /// Recipients in any 24 hours, then 550 5.4.5.
    Gmail,
    /// Recipients a second and in any 24 hours, then 454.
    Ses,
}

/// Encryption of the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SinkTls {
    /// None.
    Off,
    /// STARTTLS is offered.
    Starttls,
    /// STARTTLS is demanded.
    Required,
    /// From the first byte.
    Implicit,
}
