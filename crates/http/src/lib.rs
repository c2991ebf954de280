//! The outgoing HTTP client and what is fetched with it: access tokens for relays and mailboxes that want OAuth, and the
//! certificates by which webhooks are verified.
//!
//! `delivery` asks a [`TokenSource`] for a token before it logs in with XOAUTH2; a failure is the lane's, never a
//! row's. What always holds: certificates are verified, plain http reaches loopback only, every answer is bounded
//! in time and size, and no secret stands in an error or a log line. Time is an argument.

mod client;
mod command;
mod token;

pub use client::{HttpClient, Roots};
pub use token::TokenSource;

use postroad_model::Timestamp;

/// Why there is no token. All texts are fit for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client could not be made.
    #[error("cannot make the HTTPS client: {0}")]
    Client(String),
    /// The address may not be used.
    #[error("{url:?} may not be asked: it must be https (http to loopback only)")]
    Address {
        /// The address.
        url: String,
    },
    /// What lies at an address could not be had.
    #[error("cannot get {url}: {why}")]
    Fetch {
        /// The address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The relay logs in without a token.
    #[error("this relay logs in without a token")]
    NoToken,
    /// The endpoint was not reached or did not answer in time.
    #[error("the token endpoint {url} did not answer: {why}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What failed.
        why: String,
    },
    /// The endpoint said no: a person must look.
    #[error(
        "the token endpoint {url} refused: {said}; renew the refresh token or correct the client"
    )]
    Refused {
        /// Its address.
        url: String,
        /// What it said (RFC 6749 section 5.2), secrets masked.
        said: String,
    },
    /// The endpoint failed, or answered something that is no token.
    #[error("the token endpoint {url} gave no token: {said}")]
    Answer {
        /// Its address.
        url: String,
        /// What it said.
        said: String,
    },
    /// The command failed.
    #[error("the token command {program:?} gave no token: {why}")]
    Command {
        /// The program.
        program: String,
        /// What happened.
        why: String,
    },
    /// The last attempt failed and the next one is not due.
    #[error("{cause}; asked again at {until}")]
    Waiting {
        /// The failure.
        cause: Box<Error>,
        /// When the next attempt may start.
        until: Timestamp,
    },
}
