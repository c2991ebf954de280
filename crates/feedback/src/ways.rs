//! Ways in for mail: mailboxes that are watched, and a listener for the bounce domain.
//!
//! Started by cli's `serve`; the pipe (`bounce process`) is cli's own. Each hands what it gets to [`crate::Feedback`] and
//! lets go of it only afterwards. What must always hold: nothing is deleted, moved or accepted before it is recorded;
//! a mailbox is read by one node at a time, under a leased once-only job whose note says how far it was read.

mod listener;
mod mailbox;

pub use listener::{ListenError, Listener, ListenerSettings, Speaks};
pub use mailbox::{After, MailProtocol, Watch, WatchEvent, watch};
