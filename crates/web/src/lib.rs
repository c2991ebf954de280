//! HTTP in, one call, HTTP out: the public pages behind the links in mail, and the operator's metrics and health.
//!
//! `cli` builds an [`App`] and calls [`serve`]; handlers call the store and metrics and nothing else. Two listeners,
//! two routers: `public` is what recipients reach (RFC 8058 one-click, unsubscribe page, web view), `admin` is not.
//!
//! What must always hold: GET and HEAD change nothing; a token that is not ours changes nothing and learns nothing;
//! an unsubscribe that was begun is finished even when the client hangs up, and its 200 comes after it is durable;
//! tokens and addresses are neither logged nor labels; every request, header, body and connection has a bound.
//! It speaks no TLS (a web server in front does) and composes no message (`render` does, handed in as [`View`]).

mod admin;
mod app;
mod connection;
mod error;
mod exporter;
mod guard;
mod listen;
mod placements;
mod problem;
mod public;

pub use app::{App, EngineState, EngineStatus, View};
pub use error::Error;
pub use listen::{Listeners, serve};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
