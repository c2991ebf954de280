//! Whatever bytes come, the session neither panics nor stands still, and pieces do not matter.

use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{Ask, Session, Step};
use crate::{
    auth::{Logins, Mechanism},
    body::BodyUse,
    envelope::Peer,
    reply::Reply,
    settings::ServerSettings,
    terms::Terms,
};

const WORDS: &[&str] = &[
    "EHLO c.test\r\n",
    "HELO x\r\n",
    "MAIL FROM:<a@b.test>\r\n",
    "RCPT TO:<c@d.test>\r\n",
    "DATA\r\n",
    "text\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "\r",
    "\n",
    ".",
    "BDAT 3\r\n",
    "BDAT 2 LAST\r\n",
    "abc",
    "\0",
    "RSET\r\n",
    "NOOP\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN YQ==\r\n",
    "*\r\n",
    "\u{103}",
    "<",
    "\"",
    "STARTTLS\r\n",
    "MAIL FROM:<",
    "BDAT 99999999999999999999\r\n",
    "VRFY x\r\n",
    "\\",
    " SIZE=",
    "@",
];

fn session() -> Session {
    let mut settings = ServerSettings::new("s", Arc::new(|| 0));
    settings.logins = Logins::Anyone(vec![Mechanism::Plain, Mechanism::Login]);
    settings.limits.line_bytes_max = 64;
    settings.limits.message_bytes_max = 100;
    settings.limits.errors_max = u32::MAX;
    let peer = Peer {
        server: "s".into(),
        connection: 1,
        remote: ([127, 0, 0, 1], 1).into(),
        helo: String::new(),
        account: None,
        encrypted: false,
        messages: 0,
    };
    Session::new(Arc::new(Terms::new(&settings)), peer, BodyUse::Whole)
}

/// Feeds `input` in pieces; the trace of steps, with each fourth question refused.
fn trace(input: &[u8], mut piece: impl FnMut() -> usize) -> Vec<String> {
    let mut session = session();
    let (mut at, mut have) = (0, 0);
    let mut trace = Vec::new();
    loop {
        let (used, step) = session.advance(&input[at..have]);
        at += used;
        match step {
            Step::NeedInput if used > 0 && at < have => {}
            Step::NeedInput if have == input.len() => return trace,
            Step::NeedInput => have = input.len().min(have + piece()),
            Step::Say(reply) => trace.push(reply.to_string()),
            Step::Close(reply) => {
                trace.push(format!("close {reply}"));
                return trace;
            }
            Step::Ask(ask) => {
                trace.push(format!("{ask:?} {}", String::from_utf8_lossy(session.message().0)));
                let refused = trace.len().is_multiple_of(4);
                let reply = Reply::bare(if refused { 450 } else { 250 }, "");
                match ask {
                    Ask::Hello(_) => session.hello(&reply),
                    Ask::StartTls => session.starttls(),
                    Ask::Login(account) => session.login(account, &reply),
                    Ask::Mail => session.mail(&reply),
                    Ask::Rcpt(_, Some(_)) => {}
                    Ask::Rcpt(rcpt, None) => session.rcpt(rcpt, &reply),
                    Ask::Data => session.data(&reply),
                    Ask::Dot => session.end_message(!refused),
                    Ask::Quit => return trace,
                }
            }
        }
    }
}

#[test]
fn any_bytes_in_any_pieces_give_the_same_dialogue() {
    for seed in 0..2_000 {
        let mut dice = StdRng::seed_from_u64(seed);
        let count = dice.random_range(1..40);
        let words = (0..count).map(|_| WORDS[dice.random_range(0..WORDS.len())]);
        let input = format!("EHLO c\r\n{}", words.collect::<String>()).into_bytes();
        let whole = trace(&input, || 1);
        let pieces = trace(&input, || dice.random_range(1..30));
        assert_eq!(whole, pieces, "seed {seed}: {}", String::from_utf8_lossy(&input));
    }
}
