//! What a received copy's header tells: when it arrived, and what the receiving side said of its sender's name.
//!
//! Used by `placement` on heads that `Imap::head` fetched. RFC 8601 (Authentication-Results), RFC 5321 section 4.4
//! (Received). What must always hold: only what the mailbox's own side wrote counts (RFC 8601 section 5): what stands above
//! the first Received of another side, and is not signed by another's name; a field further down may be anybody's, also of
//! the relay that sent the mail. Where that side writes none, nothing is said. Parsing never fails; what is not understood
//! is left out.

use mail_parser::{DateTime, MessageParser};
use postroad_model::Timestamp;
use postroad_model::placement::{AuthMethod, AuthResult};
use std::net::IpAddr;

/// As many fields are looked at.
const FIELDS_MAX: usize = 500;
/// As many characters of a field.
const FIELD_MAX: usize = 8_000;

/// Second levels below which registries of countries sell names: co.uk, com.vn, or.jp.
const REGISTRIES: [&str; 17] = [
    "ac", "biz", "co", "com", "edu", "go", "gob", "gov", "info", "ltd", "mil", "ne", "net", "nom",
    "or", "org", "plc",
];

/// What a header tells of its arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// When the last server took it.
    pub arrived_at: Option<Timestamp>,
    /// SPF, as that side saw it.
    pub spf: Option<AuthResult>,
    /// DKIM: passed when one signature did.
    pub dkim: Option<AuthResult>,
    /// DMARC.
    pub dmarc: Option<AuthResult>,
}

/// The first value of a field, unfolded and without space around it.
#[must_use]
pub fn field(head: &[u8], name: &str) -> Option<String> {
    fields(head).into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Reads a header.
#[must_use]
pub fn received(head: &[u8]) -> Received {
    let fields = fields(head);
    let values = |name: &'static str| {
        fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let date = values("Received").next().and_then(|value| value.rsplit_once(';'));
    let arrived_at = date
        .and_then(|(_, date)| DateTime::parse_rfc822(date.trim()))
        .filter(DateTime::is_valid)
        .map(|date| Timestamp(date.to_timestamp().saturating_mul(1_000)));
    let mut found = Received { arrived_at, ..Received::default() };
    let mut whose: Option<String> = None;
    let mut own: Option<String> = None;
    for (name, value) in &fields {
        if name.eq_ignore_ascii_case("Received") {
            match (&own, taken_by(value)) {
                (None, by) => own = by,
                (Some(own), Some(by)) if *own == by => {}
                (Some(_), _) => break,
            }
            continue;
        }
        if !name.eq_ignore_ascii_case("Authentication-Results") {
            continue;
        }
        let results = Results::read(value);
        let server = results.server.as_deref().map(operator);
        if own.is_some() && server.is_some() && own != server {
            continue;
        }
        // Some operators write a field for each method, by servers of one domain.
        let domain = results.server.as_deref().map(operator).unwrap_or_default();
        if *whose.get_or_insert_with(|| domain.clone()) != domain {
            break;
        }
        for (method, result) in results.results {
            let slot = match method {
                AuthMethod::Spf => &mut found.spf,
                AuthMethod::Dkim => &mut found.dkim,
                AuthMethod::Dmarc => &mut found.dmarc,
            };
            if slot.is_none() || (method == AuthMethod::Dkim && result == AuthResult::Pass) {
                *slot = Some(result);
            }
        }
    }
    found
}

/// Whose server took the mail, by a Received's `by`; `None` where it is no name, as of hops inside an operator's house.
fn taken_by(value: &str) -> Option<String> {
    let plain = without_comments(value);
    let mut words = plain.split([' ', ';']).skip_while(|word| !word.eq_ignore_ascii_case("by"));
    let by = words.nth(1)?.trim_end_matches('.');
    let literal = by.contains(':') || by.starts_with('[') || by.parse::<IpAddr>().is_ok();
    (!literal && !by.is_empty()).then(|| operator(by))
}

fn fields(head: &[u8]) -> Vec<(String, String)> {
    let Some(message) = MessageParser::new().with_minimal_headers().parse_headers(head) else {
        return Vec::new();
    };
    let unfolded = |value: &str| {
        let words: Vec<&str> = value.split_whitespace().collect();
        words.join(" ").chars().take(FIELD_MAX).collect::<String>()
    };
    let raw = message.headers_raw().take(FIELDS_MAX);
    raw.map(|(name, value)| (name.trim().to_owned(), unfolded(value))).collect()
}

/// The domain of an operator's servers, near enough: its last two labels, backwards, or three where a country's registry
/// sells names below its second level. Not by length: gmx.net and web.de are operators.
fn operator(server: &str) -> String {
    let server = server.to_ascii_lowercase();
    let labels: Vec<&str> = server.rsplit('.').take(3).collect();
    let sold = match labels.as_slice() {
        [country, second, ..] => country.len() == 2 && REGISTRIES.contains(second),
        [] | [_] => false,
    };
    let taken = if sold { 3 } else { 2 };
    labels.get(..taken).unwrap_or(&labels).join(".")
}

/// One Authentication-Results field.
#[derive(Debug, Default, PartialEq, Eq)]
struct Results {
    server: Option<String>,
    results: Vec<(AuthMethod, AuthResult)>,
}

impl Results {
    /// RFC 8601 section 2.2. Microsoft writes no server in front.
    fn read(value: &str) -> Self {
        let plain = without_comments(value);
        let mut parts = plain.split(';').map(str::trim);
        let mut found = Self::default();
        if let Some(first) = parts.next() {
            match result(first) {
                Some(result) => found.results.push(result),
                None => found.server = first.split(' ').next().map(str::to_owned),
            }
        }
        found.results.extend(parts.filter_map(result));
        found
    }
}

/// `method[/version] = result ...`
fn result(part: &str) -> Option<(AuthMethod, AuthResult)> {
    let (method, rest) = part.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().trim().to_ascii_lowercase();
    let method = AuthMethod::ALL.into_iter().find(|m| m.as_str() == method)?;
    let word = rest.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let result = match word.as_str() {
        "pass" => AuthResult::Pass,
        "fail" | "softfail" | "hardfail" | "permerror" => AuthResult::Fail,
        "none" => AuthResult::None,
        _ => AuthResult::Other,
    };
    Some((method, result))
}

/// RFC 5322 section 3.2.2: comments may be nested; quoted strings hold none.
fn without_comments(text: &str) -> String {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let taken = escaped;
        escaped = c == '\\' && !taken;
        match c {
            _ if taken => {}
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                continue;
            }
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            // A separator inside quotes separates nothing.
            ';' if quoted => continue,
            _ => {}
        }
        if depth == 0 {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthResult::{Fail, Other, Pass};

    type Seen = (Option<AuthResult>, Option<AuthResult>, Option<AuthResult>);

    fn seen(head: &str) -> Seen {
        let found = received(head.replace('\n', "\r\n").as_bytes());
        (found.spf, found.dkim, found.dmarc)
    }

    #[test]
    fn the_receiving_side_is_understood_in_the_ways_in_which_it_writes() {
        let check = |head: &str, expected: Seen| assert_eq!(seen(head), expected, "{head}");
        check(
            "Received: by 2002:a05:1\nAuthentication-Results: mx.google.com;\n       dkim=pass header.i=@a.example \
             header.s=s1 header.b=abc;\n       spf=softfail (google.com: domain of x@b.example (really); does) \
             smtp.mailfrom=x@b.example;\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=a.example\n\n",
            (Some(Fail), Some(Pass), Some(Pass)),
        );
        check(
            "Authentication-Results: spf=pass (sender IP is 192.0.2.1)\n smtp.mailfrom=a.example; dkim=fail \
             (no key) header.d=a.example;dmarc=bestguesspass action=none header.from=a.example;compauth=pass \
             reason=109\n\n",
            (Some(Pass), Some(Fail), Some(Other)),
        );
        check(
            "Authentication-Results: dmarc.icloud.com; dmarc=pass header.from=a.example\nAuthentication-Results: \
             dkim-verifier.icloud.com; dkim=fail\nAuthentication-Results: dkim-verifier.icloud.com;\n dkim=pass \
             (2048-bit key) header.d=a.example\nAuthentication-Results: spf.icloud.com; spf=none\n\n",
            (Some(AuthResult::None), Some(Pass), Some(Pass)),
        );
        check(
            "Authentication-Results: atlas.mail.yahoo.com 1;\n dkim/1 = pass header.i=\"a;spf=fail\";\n\n",
            (None, Some(Pass), None),
        );
        check("Authentication-Results: mx.b.example; none\n\n", (None, None, None));
        check("Subject: x\n\n", (None, None, None));
    }

    #[test]
    fn what_another_server_wrote_further_down_does_not_count() {
        let head = "Authentication-Results: mx.b.example; dkim=fail\nReceived: from x\nAuthentication-Results: \
                    relay.forged.example; dkim=pass; spf=pass\n\n";
        assert_eq!(seen(head), (None, Some(Fail), None));
    }

    #[test]
    fn what_the_relay_said_of_itself_does_not_count() {
        let check = |head: &str, expected: Seen| assert_eq!(seen(head), expected, "{head}");
        let said = "Authentication-Results: mx.test; dkim=pass; spf=pass\n";
        let none = (None, None, None);
        // Dovecot wrote none; the relay's stands below its own Received, or above it.
        let lmtp =
            "Received: from relay.test ([192.0.2.1])\n\tby box with LMTP id x\n\tfor <a@b>; Sat\n";
        check(&format!("{lmtp}Received: by relay.test (Postfix); Sat\n{said}\n"), none);
        check(&format!("{lmtp}{said}Received: by relay.test (Postfix); Sat\n\n"), none);
        let forged =
            "Received: by mx.google.com\nAuthentication-Results: mx.google.com; dkim=pass\n";
        check(&format!("{lmtp}Received: by relay.test\n{forged}\n"), none);
        // Gmail's stands below two of its own.
        let google = "Received: by 2002:a05:1 with SMTP id x; Sat\nReceived: from relay.test (relay.test. [192.0.2.1])\n\
                      \tby mx.google.com with ESMTPS id x; Sat\n";
        let own = "Authentication-Results: mx.google.com; dkim=fail\n";
        check(
            &format!("{google}{own}Received: by relay.test\n{forged}\n"),
            (None, Some(Fail), None),
        );
        // Microsoft's has no server in front and stands below many of its own.
        let outlook = "Received: from A.prod.outlook.com by B.PROD.OUTLOOK.COM; Sat\nReceived: from relay.test by \
                       C.mail.protection.outlook.com (10.0.0.1) with SMTP; Sat\n";
        check(
            &format!(
                "{outlook}Authentication-Results: spf=pass; dkim=fail\nReceived: by relay.test\n{said}\n"
            ),
            (Some(Pass), Some(Fail), None),
        );
    }

    #[test]
    fn two_operators_below_one_countrys_second_level_are_two() {
        let check = |(mailbox, server, relay): (&str, &str, &str), expected: Seen| {
            let head = format!(
                "Received: from relay by {mailbox} with LMTP; Sat\nAuthentication-Results: {server}; dkim=fail\n\
                 Received: from x by {relay}; Sat\nAuthentication-Results: {relay}; spf=pass\n\n"
            );
            assert_eq!(seen(&head), expected, "{head}");
        };
        let own = (None, Some(Fail), None);
        for relay in ["smtp.sender.com.vn", "sender.COM.VN", "smtp.sender.example"] {
            check(("mx.host.com.vn", "host.com.vn", relay), own);
            check(("mx.host.com.vn", relay, relay), (None, None, None));
        }
        check(("mx.host.co.uk", "mx2.host.co.uk", "smtp.sender.co.uk"), own);
        // Short names that are operators' own.
        check(("mx-ha.gmx.net", "gmx.net", "smtp.sender.net"), own);
        check(("mx-ha.web.de", "web.de", "smtp.sender.de"), own);
    }

    #[test]
    fn the_arrival_is_the_topmost_servers() {
        let check = |head: &str, expected: Option<i64>| {
            let found = received(head.as_bytes()).arrived_at;
            assert_eq!(found, expected.map(Timestamp), "{head}");
        };
        let top = "Received: by mx.b.example (x; y) with LMTP id 1;\r\n Sat, 21 Nov 2026 22:26:40 +0700\r\n";
        check(
            &format!("{top}Received: from a; Sat, 21 Nov 2026 15:26:39 +0000\r\n\r\n"),
            Some(1_795_274_800_000),
        );
        check("Received: from a without a date\r\n\r\n", None);
        check("Received: ; \u{fffd}\r\n\r\n", None);
        check("", None);
    }

    #[test]
    fn one_field_is_read_whatever_its_letters() {
        let head = b"Subject: x\r\nx-postroad-ref:\r\n abc.def\r\nX-Postroad-Ref: later\r\n\r\n";
        assert_eq!(field(head, "X-Postroad-Ref").as_deref(), Some("abc.def"));
        assert_eq!(field(head, "X-Other"), None);
        for odd in [&b"\xff\xff: x"[..], b":\r\n:\r\n", b"a", b"\r\n\r\n"] {
            assert_eq!(field(odd, "X-Postroad-Ref"), None);
        }
    }
}
