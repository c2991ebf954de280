//! One command line becomes a command, or the reply that refuses it.
//!
//! Called by the session with a whole line. smtp-proto does the grammar (RFC 5321 section 4.1.1); the
//! paths are taken from the line itself, because smtp-proto unquotes local parts and records must show
//! what was sent. Parameters of extensions that were not offered are refused with 555 5.5.4 (RFC 5321
//! section 4.1.1.11). It knows nothing of the order of commands.

use smtp_proto::{
    Error as Malformed, MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_BY_NOTIFY, MAIL_BY_RETURN,
    MAIL_BY_TRACE, MAIL_CONPERM, MAIL_REQUIRETLS, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8,
    MailFrom, RCPT_CONNEG, RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER,
    RCPT_NOTIFY_SUCCESS, RCPT_RRVS_CONTINUE, RCPT_RRVS_REJECT, RcptTo, Request,
};

use crate::{
    auth::Mechanism,
    behaviour::Extension,
    envelope::{BodyKind, DsnReturn, MailParameters, Recipient},
    reply::Reply,
};

#[derive(Debug)]
pub(crate) enum Command {
    Hello { verb: Verb, name: String },
    Mail { path: String, parameters: MailParameters },
    Rcpt(Recipient),
    Data,
    Chunk { bytes: u64, last: Last },
    Auth { mechanism: Option<Mechanism>, initial: String },
    StartTls,
    Reset,
    Noop,
    Verify,
    Help,
    Quit,
    Unoffered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Ehlo,
    Helo,
    Lhlo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

pub(crate) const SYNTAX: Reply = Reply::new(501, (5, 5, 4), "Syntax error in parameters");
const UNKNOWN: Reply = Reply::new(500, (5, 5, 1), "Command not recognised");
const BAD_SENDER: Reply = Reply::new(501, (5, 1, 7), "Bad sender address syntax");
const BAD_RECIPIENT: Reply = Reply::new(501, (5, 1, 3), "Bad recipient address syntax");
const NOT_OFFERED: Reply = Reply::new(555, (5, 5, 4), "Parameter not recognised or not offered");
const NEEDS_SMTPUTF8: Reply = Reply::new(553, (5, 6, 7), "Address needs SMTPUTF8");

/// Parses a line, CRLF included.
pub(crate) fn parse(line: &[u8], offers: impl Fn(Extension) -> bool) -> Result<Command, Reply> {
    let request = Request::parse(&mut line.iter()).map_err(|error| refusal(&error))?;
    Ok(match request {
        Request::Ehlo { host } => Command::Hello { verb: Verb::Ehlo, name: host.into_owned() },
        Request::Lhlo { host } => Command::Hello { verb: Verb::Lhlo, name: host.into_owned() },
        Request::Helo { host } => Command::Hello { verb: Verb::Helo, name: host.into_owned() },
        Request::Mail { from } => {
            let parameters = mail_parameters(&from, &offers)?;
            let path = path(line).ok_or(BAD_SENDER)?;
            if !path.is_ascii() && !parameters.smtputf8 {
                return Err(NEEDS_SMTPUTF8);
            }
            Command::Mail { path: path.to_owned(), parameters }
        }
        Request::Rcpt { to } => {
            let path = path(line).filter(|path| !path.is_empty()).ok_or(BAD_RECIPIENT)?;
            Command::Rcpt(recipient(path, &to, &offers)?)
        }
        Request::Bdat { chunk_size, is_last } => Command::Chunk {
            bytes: chunk_size as u64,
            last: if is_last { Last::Yes } else { Last::No },
        },
        Request::Auth { mechanism, initial_response } => Command::Auth {
            mechanism: Mechanism::from_bit(mechanism),
            initial: initial_response.into_owned(),
        },
        Request::Data => Command::Data,
        Request::StartTls => Command::StartTls,
        Request::Rset => Command::Reset,
        Request::Noop { .. } => Command::Noop,
        Request::Vrfy { .. } => Command::Verify,
        Request::Help { .. } => Command::Help,
        Request::Quit => Command::Quit,
        Request::Expn { .. }
        | Request::Etrn { .. }
        | Request::Atrn { .. }
        | Request::Burl { .. } => Command::Unoffered,
    })
}

fn refusal(error: &Malformed) -> Reply {
    match error {
        Malformed::UnknownCommand => UNKNOWN,
        Malformed::InvalidSenderAddress => BAD_SENDER,
        Malformed::InvalidRecipientAddress => BAD_RECIPIENT,
        Malformed::SyntaxError { syntax } => SYNTAX.with_text(format!("Syntax: {syntax}")),
        Malformed::InvalidParameter { param } => {
            SYNTAX.with_text(format!("Bad value of parameter {param}"))
        }
        Malformed::UnsupportedParameter { .. } => NOT_OFFERED,
        Malformed::NeedsMoreData { .. }
        | Malformed::ResponseTooLong
        | Malformed::InvalidResponse { .. } => SYNTAX,
    }
}

/// What stands between the angle brackets, quoted strings untouched.
fn path(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, rest) = line.split_once('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return rest.get(..at),
            _ => {}
        }
    }
    None
}

fn mail_parameters<T: AsRef<str>>(
    from: &MailFrom<T>,
    offers: &impl Fn(Extension) -> bool,
) -> Result<MailParameters, Reply> {
    let flags = from.flags;
    let has = |bits: u64| flags & bits != 0;
    // Extensions that this server never offers.
    let never = has(MAIL_BODY_BINARYMIME | MAIL_REQUIRETLS | MAIL_CONPERM)
        || has(MAIL_BY_NOTIFY | MAIL_BY_RETURN | MAIL_BY_TRACE)
        || from.hold_for + from.hold_until > 0
        || from.mt_priority != 0
        || from.trans_id.is_some()
        || from.solicit.is_some()
        || from.mtrk.is_some();
    let hidden = [
        (Extension::Size, from.size > 0),
        (Extension::EightBitMime, has(MAIL_BODY_8BITMIME)),
        (Extension::Smtputf8, has(MAIL_SMTPUTF8)),
        (Extension::Dsn, has(MAIL_RET_FULL | MAIL_RET_HDRS) || from.env_id.is_some()),
        (Extension::Auth, from.auth.is_some()),
    ]
    .into_iter()
    .any(|(extension, used)| used && !offers(extension));
    if never || hidden {
        return Err(NOT_OFFERED);
    }
    Ok(MailParameters {
        size: (from.size > 0).then_some(from.size as u64),
        smtputf8: has(MAIL_SMTPUTF8),
        body: if has(MAIL_BODY_8BITMIME) { BodyKind::EightBitMime } else { BodyKind::SevenBit },
        ret: if has(MAIL_RET_FULL) {
            Some(DsnReturn::Full)
        } else if has(MAIL_RET_HDRS) {
            Some(DsnReturn::Headers)
        } else {
            None
        },
        envid: from.env_id.as_ref().map(|envid| envid.as_ref().to_owned()),
    })
}

fn recipient<T: AsRef<str>>(
    path: &str,
    to: &RcptTo<T>,
    offers: &impl Fn(Extension) -> bool,
) -> Result<Recipient, Reply> {
    if to.flags & (RCPT_CONNEG | RCPT_RRVS_REJECT | RCPT_RRVS_CONTINUE) != 0 || to.rrvs != 0 {
        return Err(NOT_OFFERED);
    }
    let words = [
        (RCPT_NOTIFY_NEVER, "never"),
        (RCPT_NOTIFY_SUCCESS, "success"),
        (RCPT_NOTIFY_FAILURE, "failure"),
        (RCPT_NOTIFY_DELAY, "delay"),
    ];
    let mut notify = String::new();
    for (bit, word) in words {
        if to.flags & bit != 0 {
            if !notify.is_empty() {
                notify.push(',');
            }
            notify.push_str(word);
        }
    }
    let orcpt = to.orcpt.as_ref().map(|orcpt| orcpt.as_ref().to_owned());
    if !(offers(Extension::Dsn) || notify.is_empty() && orcpt.is_none()) {
        return Err(NOT_OFFERED);
    }
    Ok(Recipient { address: path.to_owned(), notify, orcpt })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let got = match parse(format!("{line}\r\n").as_bytes(), |e| e != Extension::Size) {
            Ok(Command::Mail { path, parameters }) => {
                let MailParameters { smtputf8, body, ret, envid, .. } = parameters;
                format!("mail {path} {smtputf8} {body:?} {ret:?} {envid:?}")
            }
            Ok(Command::Rcpt(Recipient { address, notify, orcpt })) => {
                format!("rcpt {address} {notify} {orcpt:?}")
            }
            Ok(command) => format!("{command:?}"),
            Err(reply) => reply.to_string(),
        };
        assert_eq!(got, expected, "{line:?}");
    }

    #[test]
    fn paths_stand_as_they_were_sent() {
        check("MAIL FROM:<>", "mail  false SevenBit None None");
        check("mail from:<A.b@C.test>", "mail A.b@C.test false SevenBit None None");
        check(r#"RCPT TO:<"a >b\""@c.test>"#, r#"rcpt "a >b\""@c.test  None"#);
        check("RCPT TO:<v+to=x.test@b.test>", "rcpt v+to=x.test@b.test  None");
    }

    #[test]
    fn parameters_of_dsn_and_smtputf8_are_read() {
        check(
            "MAIL FROM:<ă@b.test> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
            "mail ă@b.test true EightBitMime Some(Headers) Some(\"a+b\")",
        );
        check(
            "RCPT TO:<a@b.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bc@b.test",
            "rcpt a@b.test failure,delay Some(\"a+c@b.test\")",
        );
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_own_code() {
        check("MAIL FROM:<ă@b.test>", "553 5.6.7 Address needs SMTPUTF8");
        check("MAIL FROM:<a@b.test> SIZE=5", "555 5.5.4 Parameter not recognised or not offered");
        check("MAIL FROM:<a@b.test> XX=5", "555 5.5.4 Parameter not recognised or not offered");
        check("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax");
        check("RCPT TO:<a@@b>", "501 5.1.3 Bad recipient address syntax");
        check("MAIL FROM:<a b>", "501 5.1.7 Bad sender address syntax");
        check("GET / HTTP/1.1", "500 5.5.1 Command not recognised");
        check("", "500 5.5.1 Command not recognised");
    }
}
