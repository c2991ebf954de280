//! HTTP as octets: what is sent and what comes back, without a library that smooths either.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn parse(octets: &[u8]) -> Self {
        // An image is no text.
        let text = String::from_utf8_lossy(octets);
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }
}

/// Sends octets and reads until the server closes.
pub async fn raw(to: SocketAddr, octets: &str) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(octets.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Answer::parse(&answer)
}

/// A request without a body; `fields` are header lines, each with its CRLF.
pub async fn request(to: SocketAddr, method: &str, target: &str, fields: &str) -> Answer {
    raw(
        to,
        &format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{fields}\r\n"),
    )
    .await
}

pub async fn get(to: SocketAddr, target: &str) -> Answer {
    request(to, "GET", target, "").await
}

/// A POST as octets, of a form unless `kind` says otherwise.
pub fn post_octets(to: SocketAddr, target: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

pub const FORM: &str = "application/x-www-form-urlencoded";
/// RFC 8058 section 3.1.
pub const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

pub async fn post(to: SocketAddr, target: &str, body: &str) -> Answer {
    raw(to, &post_octets(to, target, FORM, body)).await
}
