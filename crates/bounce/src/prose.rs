//! Recipients and reasons in the text that a report shows to people.
//!
//! `read` calls it for every bounce: where there are no status fields it finds the recipients, where there are it finds
//! their reasons. It knows shapes of lines, not servers: `<a>: text` (Postfix, qmail and its kin), an address alone with
//! its reason below or above (Exim, Google, Exchange, Notes), `550 <a>... text` and the dialogue of RFC 5321 commands
//! (Sendmail), `label: a` and addresses inside sentences (gateways and the rest). What always holds: the returned message
//! is not looked at, at most [`MAX_HITS`] recipients and [`MAX_LINES`] lines are, and what stands in a stronger shape
//! wins over all that stands in weaker ones. It does not say what a reason means.

use crate::address::{self, Found};
use crate::codes;
use crate::dsn::truncate;
use crate::line::{
    Front, MAX_REASON, front, is_about_us, labels_recipient, of_sender, push_line, reply_line,
    says_nothing,
};
use crate::phrases::phrases;
use crate::reading::MAX_DIAGNOSTIC;
use crate::returned;
use crate::words::{self, normal};

/// Most lines of a report that are looked at.
const MAX_LINES: usize = 3_000;
/// Most recipients that are found in prose.
pub(crate) const MAX_HITS: usize = 1_000;
/// How far below its announcement a list of addresses reaches.
const ANNOUNCED: usize = 60;

/// A recipient in prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub address: String,
    pub aliases: Vec<String>,
    pub reason: String,
    pub shape: Shape,
}

/// How it stands there; earlier shapes are stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// At the front of its line with a reason.
    Line,
    /// Named by a label or in a sentence about the failure.
    Sentence,
    /// Somewhere.
    Mention,
}

/// What the prose says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prose {
    pub hits: Vec<Hit>,
    /// The only address in it that is nobody's own, where no shape tells a recipient.
    pub lone: Option<Hit>,
    /// The report's own words, up to the returned message.
    pub text: String,
    /// The returned message, where it stands in the same text.
    pub returned: String,
    /// The first line that quotes a reply, with what belongs to it.
    pub reply: String,
    /// It says that it is not final.
    pub delayed: bool,
}

/// Reads a report's text. `own` are addresses that the mail itself was sent to or comes from.
pub(crate) fn read(text: &str, own: &[String]) -> Prose {
    let lines: Vec<&str> = text.lines().take(MAX_LINES).collect();
    let end = returned::start(&lines);
    let mut prose = Prose {
        text: lines[..end].join("\n"),
        returned: lines[end..].join("\n"),
        ..Prose::default()
    };
    let mut reader = Reader { lines: &lines[..end], own, ..Reader::default() };
    reader.run();
    prose.lone = reader.lone();
    prose.hits = reader.best();
    prose.reply = reply_line(&lines[..end]);
    prose.delayed = phrases().delay_texts.is_in(&normal(&prose.text));
    prose
}

#[derive(Default)]
struct Reader<'t> {
    lines: &'t [&'t str],
    own: &'t [String],
    hits: Vec<(usize, Hit)>,
    /// The last line that announced a list.
    announced: Option<usize>,
    /// Recipient of the last `>>> RCPT TO`.
    rcpt: Option<String>,
    /// The last command that the transcript shows.
    command: &'t str,
}

impl<'t> Reader<'t> {
    fn run(&mut self) {
        for i in 0..self.lines.len() {
            if self.hits.len() >= MAX_HITS {
                return;
            }
            let line = self.lines[i].trim();
            if line.is_empty() || self.goes_on(i) {
                continue;
            }
            if self.transcript(i, line) || is_about_us(line) {
                continue;
            }
            let announces = phrases().announcements.is_in(&normal(line));
            if let Some(front) = front(line) {
                self.at_front(i, front);
            } else if line.contains('@') {
                self.announced = if announces { Some(i) } else { self.announced };
                self.in_sentence(i, line);
            }
            if announces {
                self.announced = Some(i);
            }
        }
        self.share_reasons();
    }

    /// Postfix folds `<a>: host x said: 550 no` with blanks in front, also before an address.
    fn goes_on(&self, i: usize) -> bool {
        let indented = |l: &str| l.starts_with([' ', '\t']) && !l.trim().is_empty();
        let before = self.lines[..=i].iter().rev().take(MAX_REASON);
        let folds = before.take_while(|l| indented(l)).count();
        let first = i.checked_sub(folds).filter(|_| folds > 0).map(|at| self.lines[at]);
        first.is_some_and(|l| {
            let said = l.split_once('>').map_or("", |(_, said)| said);
            l.starts_with('<')
                && l.contains('@')
                && said.trim_start().starts_with([':', '('])
                && said.trim() != ":"
        })
    }

    fn is_announced(&self, i: usize) -> bool {
        self.announced.is_some_and(|at| i - at <= ANNOUNCED)
    }

    fn push(&mut self, i: usize, address: String, reason: String, shape: Shape) {
        self.hits.push((i, Hit { address, aliases: Vec::new(), reason, shape }));
    }

    /// `>>> RCPT To:<a>`, `<<< 550 no`, `550 5.1.1 <a>... User unknown`.
    fn transcript(&mut self, i: usize, line: &'t str) -> bool {
        if let Some(command) = line.strip_prefix(">>> ") {
            let upper = command.get(..4).unwrap_or_default().to_ascii_uppercase();
            if ["RCPT", "MAIL", "DATA", "HELO", "EHLO", "RSET", "QUIT", "STAR", "AUTH"]
                .contains(&upper.as_str())
            {
                self.command = line;
                if upper == "RCPT" {
                    self.rcpt = address::of_field(command.split_once(':').map_or("", |(_, a)| a));
                } else if upper != "DATA" {
                    self.rcpt = None;
                }
                return true;
            }
            return false;
        }
        if let Some(reply) = line.strip_prefix("<<< ") {
            let refused = reply.starts_with(['4', '5']) && codes::of(reply).code.is_some();
            if let Some(rcpt) = self.rcpt.clone().filter(|_| refused && !reply.starts_with("503")) {
                let reason = format!("{reply} ({})", self.command);
                self.push(i, rcpt, reason, Shape::Line);
            }
            return true;
        }
        let found = codes::of(line.get(..line.len().min(12)).unwrap_or(line));
        let dotted = line.find("... ").or_else(|| line.find("...\t"));
        let refusal = found.code.filter(|_| line.starts_with(['4', '5']));
        let (Some(dots), Some(code)) = (dotted, refusal) else { return false };
        let Some(address) = address::first(&line[..dots]) else { return false };
        // Not the line's first octets: they may be the middle of a character.
        let reason = format!("{code} {}", line[dots + 3..].trim());
        let reason = self.with_last_reply(i, reason);
        self.push(i, address, reason, Shape::Line);
        true
    }

    /// Sendmail's own line says less than the reply that stands before it.
    fn with_last_reply(&self, i: usize, reason: String) -> String {
        let before = i.checked_sub(1).map(|i| self.lines[i].trim());
        let reply = before.and_then(|l| l.strip_prefix("<<< "));
        match reply.filter(|r| r.starts_with(['4', '5']) && !r.starts_with("503")) {
            Some(reply) => format!("{reply} ({})", self.command),
            None => reason,
        }
    }

    fn at_front(&mut self, i: usize, front: Front<'_>) {
        let rest = front.rest.trim();
        let own = self.is_own(&front.address);
        let (reason, shape) = if let Some(said) = rest.strip_prefix(':') {
            let reason = self.reason_below(i, said.trim());
            let strong = front.angled || self.is_announced(i) || fails(&reason);
            (reason, if strong { Shape::Line } else { Shape::Mention })
        } else if let Some(said) = rest.strip_prefix("...") {
            (self.reason_below(i, said.trim()), Shape::Line)
        } else if rest.is_empty() || says_nothing(rest) {
            let reason = self.reason_below(i, "");
            let strong = self.is_announced(i) || fails(&reason) || self.fails_above(i);
            (reason, if strong { Shape::Line } else { Shape::Mention })
        } else {
            let reason = self.reason_below(i, rest.trim_matches(['(', ')', '[', ']']));
            let strong = fails(rest)
                || (self.is_announced(i) && fails(&reason))
                || (front.angled && self.is_announced(i));
            (reason, if strong { Shape::Line } else { Shape::Sentence })
        };
        // Our own address at the front of a line is a greeting, unless a list of recipients was announced.
        let shape = if own && !(self.is_announced(i) && shape == Shape::Line) {
            Shape::Mention
        } else {
            shape
        };
        let aliases = front.alias.into_iter().collect();
        self.hits.push((i, Hit { address: front.address, aliases, reason, shape }));
    }

    fn in_sentence(&mut self, i: usize, line: &str) {
        let found = address::find_all(line);
        for Found { address, at } in found.into_iter().take(50) {
            let before = line[..at.start].trim_end_matches(['<', '"', '\'', '[', '(', ' ', '=']);
            let before =
                before.strip_suffix("SMTP:").or(before.strip_suffix("mailto:")).unwrap_or(before);
            let lower = before.to_lowercase();
            let role = address::is_role(&address) || self.is_own(&address);
            if role || of_sender(&lower) {
                self.push(i, address, String::new(), Shape::Mention);
                continue;
            }
            let labelled = labels_recipient(&lower);
            let reason = self.reason_below(i, line);
            let failing = fails(line)
                || self.is_announced(i)
                || phrases().bounce_texts.is_in(&normal(line))
                // `Address: a` with `Error: 550 no` below it.
                || (labelled && line.starts_with(|c: char| c.is_alphabetic()) && fails(&reason));
            let shape =
                if failing && (labelled || fails(line)) { Shape::Sentence } else { Shape::Mention };
            self.push(i, address, reason, shape);
        }
    }

    fn is_own(&self, address: &str) -> bool {
        self.own.iter().any(|own| own.eq_ignore_ascii_case(address))
    }

    /// What is said after this line, up to the next address at the front of a line.
    fn reason_below(&self, i: usize, first: &str) -> String {
        let mut reason = first.to_owned();
        let mut blanks = 0;
        for (at, line) in self.lines.iter().enumerate().skip(i + 1).take(MAX_REASON) {
            let line = line.trim();
            let starved = reason.len() < 12 || (reason.ends_with(':') && reason.len() < 80);
            if line.is_empty() {
                blanks += 1;
                if !starved || blanks > 2 {
                    break;
                }
                continue;
            }
            // A rule ends what was said.
            let rule =
                line.starts_with("---") || line.starts_with("===") || line.starts_with("***");
            if rule {
                break;
            }
            if reason.len() > MAX_DIAGNOSTIC || (front(line).is_some() && !self.goes_on(at)) {
                break;
            }
            push_line(&mut reason, line);
        }
        truncate(&mut reason, MAX_DIAGNOSTIC);
        reason
    }

    /// Notes writes the reason above the address.
    fn fails_above(&self, i: usize) -> bool {
        let above = self.lines[..i].iter().rev().map(|l| l.trim()).find(|l| !l.is_empty());
        above.is_some_and(|l| {
            fails(l) || l.ends_with(':') && phrases().bounce_texts.is_in(&normal(l))
        })
    }

    /// Addresses of one list share the reason below the list, or the one above it.
    fn share_reasons(&mut self) {
        let mut below = String::new();
        let mut next_line = usize::MAX;
        for (i, hit) in self.hits.iter_mut().rev() {
            if hit.reason.is_empty() && next_line.saturating_sub(*i) <= 2 {
                hit.reason.clone_from(&below);
            }
            below.clone_from(&hit.reason);
            next_line = *i;
        }
        for (i, hit) in &mut self.hits {
            if hit.reason.is_empty() {
                let above = self.lines[..*i].iter().rev().take(4).map(|l| l.trim());
                let said = above.into_iter().find(|l| fails(l) && front(l).is_none());
                hit.reason = said.unwrap_or_default().to_owned();
            }
        }
    }

    /// The one address that sentences mention and that is neither ours nor a server's.
    fn lone(&self) -> Option<Hit> {
        let mut others = self.hits.iter().map(|(_, h)| h).filter(|h| {
            h.shape == Shape::Mention
                && !h.reason.is_empty()
                && !self.is_own(&h.address)
                && !address::is_role(&h.address)
        });
        let first = others.next()?;
        others.all(|h| h.address.eq_ignore_ascii_case(&first.address)).then(|| first.clone())
    }

    /// The hits of the strongest shape, one for each address.
    fn best(self) -> Vec<Hit> {
        let strongest = self.hits.iter().map(|(_, h)| h.shape).min();
        let mut best: Vec<Hit> = Vec::new();
        let wanted = |h: &Hit| Some(h.shape) == strongest && h.shape != Shape::Mention;
        for (_, hit) in self.hits.into_iter().filter(|(_, h)| wanted(h)) {
            match best.iter_mut().find(|b| b.address.eq_ignore_ascii_case(&hit.address)) {
                Some(same) => {
                    if !says_more(&same.reason, &hit.reason) {
                        continue;
                    }
                    same.reason = hit.reason;
                }
                None => best.push(hit),
            }
        }
        best
    }
}

/// Whether the second reason is better than the first: a code beats none, any text beats nothing.
fn says_more(first: &str, second: &str) -> bool {
    let weight = |text: &str| {
        let found = codes::of(text);
        u8::from(!text.is_empty())
            + u8::from(found.code.is_some())
            + u8::from(found.status.is_some())
    };
    weight(second) > weight(first)
}

/// Whether a line speaks of a failure.
fn fails(line: &str) -> bool {
    let found = codes::of(line);
    found.code.is_some() || found.status.is_some() || words::speak_of_failure(&normal(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses and the starts of their reasons.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let prose = read(text, &["me@sender.example".to_owned()]);
        let found: Vec<(&str, &str)> =
            prose.hits.iter().map(|h| (h.address.as_str(), h.reason.as_str())).collect();
        let matches = found.len() == expected.len()
            && found.iter().zip(expected).all(|(f, e)| f.0 == e.0 && f.1.starts_with(e.1));
        assert!(matches, "{text}\nfound {found:?}\nwanted {expected:?}");
    }

    #[test]
    fn a_line_that_begins_with_an_address_has_its_reason() {
        check(
            "I'm sorry\n\n<a@b.example>: host x said: 550 no\n    such user\n\nbye",
            &[("a@b.example", "host x said: 550 no such user")],
        );
        check(
            "Hi. This is the qmail-send program.\n\n<a@b.example>:\nSorry, no mailbox here. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nTo: <c@d.example>\n",
            &[("a@b.example", "Sorry, no mailbox")],
        );
        check(
            "for the following list of recipients:\n\na@b.example: Domain does not exist\n\n  Below is a copy of the original message:\n\nSubject: x\nFrom: me@sender.example\nTo: z@y.example\n",
            &[("a@b.example", "Domain does not exist")],
        );
        check(
            "---The following addresses had delivery errors---\n\na@b.example [User unknown]\n",
            &[("a@b.example", "User unknown")],
        );
        check(
            "failed:\n\n\"a@b.example\":\nSMTP error from remote server after RCPT command:\nhost: mx\n5.1.1 unknown\n",
            &[("a@b.example", "SMTP error")],
        );
    }

    #[test]
    fn an_address_alone_has_the_reason_below_it_or_above() {
        check(
            "The following address(es) failed:\n\n  a@b.example\n    host mx: 550 no\n\n  c@d.example\n    retry timeout exceeded\n",
            &[("a@b.example", "host mx: 550 no"), ("c@d.example", "retry timeout")],
        );
        check(
            "Delivery to the following recipient failed permanently:\n\n     a@b.example\n\nTechnical details of permanent failure:\nGoogle tried: 550 no\n",
            &[("a@b.example", "Technical details")],
        );
        check(
            "Delivery to the following recipients failed.\n\n    a@b.example\n    c@d.example\n\n\n",
            &[("a@b.example", ""), ("c@d.example", "")],
        );
        check(
            "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\na@b.example\n\n------- Returned Message --------\nTo: x@y.example\n",
            &[("a@b.example", "User not listed")],
        );
        check(
            "Failed recipient(s):\na@b.example\n\nError message:\n550 - no such user\n\nMessage details:\n",
            &[("a@b.example", "Error message: 550")],
        );
    }

    #[test]
    fn a_transcript_gives_recipients_and_replies() {
        check(
            "   ----- Transcript of session follows -----\n>>> RCPT To:<a@b.example>\n<<< 550 no such user\n550 5.1.1 <a@b.example>... User unknown\n",
            &[("a@b.example", "550 no such user")],
        );
        check(
            "   ----- Transcript of session follows -----\n550 <a@b.example>... Host unknown\n554 <c@d.example>... Remote error\n",
            &[("a@b.example", "550 Host unknown"), ("c@d.example", "554 Remote error")],
        );
    }

    #[test]
    fn sentences_are_the_last_resort() {
        check(
            "Hello me@sender.example,\nUnable to deliver message to: <a@b.example>\nreason: 550 no\ncontact help@isp.example\n",
            &[("a@b.example", "Unable to deliver")],
        );
        check(
            "Your message wasn't delivered to a@b.example because the address couldn't be found.\n",
            &[("a@b.example", "Your message")],
        );
        check("Unknown user: a@b.example\n", &[("a@b.example", "Unknown user")]);
        check("This says nothing about c@d.example.\n", &[]);
    }
}
