//! Mails that come back, as mail servers write them.

use postroad_model::EmailAddress;

/// A delivery status notification (RFC 3464) to an address, about a recipient, with the header of what was sent.
pub fn dsn(to: &str, recipient: &str, status: &str, words: &str, returned: &str) -> Vec<u8> {
    let action = if status.starts_with('4') { "delayed" } else { "failed" };
    notice(to, recipient, (action, status), words, returned)
}

/// The same with any action.
pub fn notice(
    to: &str,
    recipient: &str,
    (action, status): (&str, &str),
    words: &str,
    returned: &str,
) -> Vec<u8> {
    format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nDate: Mon, 23 Nov 2026 02:00:00 +0000\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b1\r\n\r\n\
         --b1\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n\r\n\
         --b1\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n\
         Remote-MTA: dns; mail.example.vn\r\nDiagnostic-Code: smtp; {words}\r\n\r\n\
         --b1\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}Subject: Hello\r\n\r\n--b1--\r\n"
    )
    .into_bytes()
}

/// A feedback report (RFC 5965) of a kind.
pub fn arf(to: &str, kind: &str, returned: &str) -> Vec<u8> {
    format!(
        "From: fbl@mail.example.net\r\nTo: {to}\r\nSubject: FW: Hello\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b1\r\n\r\n\
         --b1\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n\r\n\
         --b1\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: {kind}\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n\r\n\
         --b1\r\nContent-Type: message/rfc822\r\n\r\n{returned}Subject: Hello\r\n\r\nbody\r\n\r\n--b1--\r\n"
    )
    .into_bytes()
}

/// An automatic answer (RFC 3834).
pub fn out_of_office(to: &str, from: &EmailAddress) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: Out of office: Hello\r\nAuto-Submitted: auto-replied\r\n\
         Content-Type: text/plain\r\n\r\nI am away until Monday.\r\n"
    )
    .into_bytes()
}

/// A person's mail.
pub fn letter(to: &str, subject: &str) -> Vec<u8> {
    format!("From: an@example.vn\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello there.\r\n")
        .into_bytes()
}

/// What Gmail mails after it took a message and found the account's limit reached.
pub fn limit_notice(to: &str, returned: &str) -> Vec<u8> {
    format!(
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: {to}\r\nAuto-Submitted: auto-replied\r\n\
         Subject: Delivery Status Notification (Failure)\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b1\r\n\r\n\
         --b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         You have reached a limit for sending mail. Your message was not sent.\r\n\r\n\
         --b1\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; googlemail.com\r\n\r\n\
         Final-Recipient: rfc822; an@example.vn\r\nAction: failed\r\nStatus: 5.4.5\r\n\
         Diagnostic-Code: smtp; 550 5.4.5 You have reached a limit for sending mail.\r\n\r\n\
         --b1\r\nContent-Type: message/rfc822\r\n\r\n{returned}Subject: Hello\r\n\r\nbody\r\n\r\n--b1--\r\n"
    )
    .into_bytes()
}
