//! `postroad top`: campaigns, relays and recent trouble at a glance, again each second.
//!
//! `view` reads it from the database with the same functions as `campaign status` and `relay list`, so it works while another
//! process serves; `draw` makes lines of it, for the terminal and for `--once` alike; `screen` is the terminal. What must hold:
//! it writes nothing to the database; what comes from outside never steers the terminal.

pub mod draw;
pub mod screen;
pub mod view;
