//! How long each phase of a dialogue is waited for (RFC 5321 section 4.5.3.2).
//!
//! Given to the dial and to the dialogue. What must always hold: the reply to the final dot is awaited 10 minutes at
//! least, since giving up earlier makes unknown rows and duplicates (RFC 1047).

use std::time::Duration;

const DOT_MIN: Duration = Duration::from_secs(600);

/// One duration per phase; the defaults are those of RFC 5321.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// DNS and TCP, for each address.
    pub connect: Duration,
    /// The 220 greeting.
    pub greeting: Duration,
    /// EHLO and STARTTLS.
    pub ehlo: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// Each step of AUTH.
    pub auth: Duration,
    /// MAIL, and RSET.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// DATA, until 354.
    pub data: Duration,
    /// Each block that is written.
    pub block: Duration,
    /// QUIT; not in the RFC: the message is safe by then.
    pub quit: Duration,
    dot: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            connect: minutes(1),
            greeting: minutes(5),
            ehlo: minutes(5),
            tls: minutes(2),
            auth: minutes(2),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            block: minutes(3),
            quit: Duration::from_secs(5),
            dot: DOT_MIN,
        }
    }
}

impl Timeouts {
    /// The reply to the final dot.
    #[must_use]
    pub const fn dot(&self) -> Duration {
        self.dot
    }

    /// Another wait for the reply to the final dot; less than ten minutes is taken as ten minutes.
    #[must_use]
    pub fn with_dot(self, dot: Duration) -> Self {
        Self { dot: dot.max(DOT_MIN), ..self }
    }

    /// All phases alike, the final dot too: for tests of this program only.
    #[doc(hidden)]
    #[must_use]
    pub const fn hurried(all: Duration) -> Self {
        Self {
            connect: all,
            greeting: all,
            ehlo: all,
            tls: all,
            auth: all,
            mail: all,
            rcpt: all,
            data: all,
            block: all,
            quit: all,
            dot: all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_dot_is_never_awaited_less_than_ten_minutes() {
        let dot =
            |seconds| Timeouts::default().with_dot(Duration::from_secs(seconds)).dot().as_secs();
        assert_eq!((Timeouts::default().dot().as_secs(), dot(5), dot(900)), (600, 600, 900));
    }
}
