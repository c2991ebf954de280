//! A POP3 connection that is logged in (RFC 1939): unique-ids, one message at a time, deletion only on request.
//!
//! Opened by the watcher. Our own client, since no kept crate speaks POP3 over tokio and rustls: five commands, CAPA
//! (RFC 2449), STLS (RFC 2595), XOAUTH2 through AUTH (RFC 5034). What must always hold: the last
//! line of an answer is found by its lone dot, and lines, lists and messages have bounds. DELE counts only after QUIT
//! was answered (RFC 1939 section 6): whoever loses the connection before deletes nothing, and reads nothing twice
//! because of its unique-ids.

use crate::access::{Access, Login};
use crate::error::line;
use crate::link::{ALLOWANCE, Link, dial, encrypt, server};
use crate::{Error, Extent, Message, Result};
use base64::Engine;
use postroad_model::relay::TlsMode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// RFC 1939 allows 512 octets for an answer and says nothing of a message's lines.
const LINE_MAX: usize = 1024 * 1024;
const MESSAGES_MAX: usize = 200_000;
/// RFC 1939 section 7: 1 to 70 characters; some servers give more.
const ID_MAX: usize = 200;

/// A connection.
#[derive(Debug)]
pub struct Pop3 {
    wire: BufReader<Link>,
    server: String,
    within: Duration,
}

impl Pop3 {
    /// Connects and logs in.
    ///
    /// # Errors
    /// What failed, with what to do.
    pub async fn open(access: &Access) -> Result<Self> {
        let link = dial(access).await?;
        let (server, within) = (server(access), access.timeouts.command);
        let mut pop3 = Self { wire: BufReader::new(link), server, within };
        pop3.answer("greet").await?;
        if access.endpoint.tls == TlsMode::Starttls {
            pop3.ask("STLS", "start TLS").await?;
            if !pop3.wire.buffer().is_empty() {
                return Err(Error::Tls {
                    server: pop3.server,
                    why: "something was said in clear text after STLS".into(),
                    advice: "somebody may tamper with the wire; use port 995 with tls = \"implicit\"",
                });
            }
            let link = encrypt(access, pop3.wire.into_inner()).await?;
            pop3.wire = BufReader::new(link);
        }
        pop3.within = access.timeouts.login;
        pop3.login(access).await?;
        pop3.within = within;
        Ok(pop3)
    }

    async fn login(&mut self, access: &Access) -> Result<()> {
        let done = match &access.login {
            Login::Password { username, password } => {
                self.ask(&format!("USER {}", one_line(username)), "log in").await.map(drop)?;
                self.ask(&format!("PASS {}", one_line(password.expose())), "log in").await
            }
            Login::Bearer { username, token } => self.xoauth2(username, token.expose()).await,
        };
        match done {
            Err(Error::Refused { server, said, .. }) => Err(Error::Login {
                server,
                username: access.login.username().to_owned(),
                said,
                advice: access.login_advice.clone(),
            }),
            other => other.map(drop),
        }
    }

    async fn xoauth2(&mut self, username: &str, token: &str) -> Result<String> {
        let first = format!("user={username}\x01auth=Bearer {token}\x01\x01");
        let first = base64::engine::general_purpose::STANDARD.encode(first);
        // Outlook wants the token on a line of its own; Gmail takes it so too.
        self.send("AUTH XOAUTH2", "log in").await?;
        let prompt = self.line("log in").await?;
        if !prompt.starts_with('+') {
            return self.judge(&prompt, "log in");
        }
        self.send(&first, "log in").await?;
        let mut answer = self.line("log in").await?;
        if answer.starts_with("+ ") && !answer.to_ascii_uppercase().starts_with("+OK") {
            // A challenge with the error in it; an empty answer asks for the refusal.
            self.send("", "log in").await?;
            answer = self.line("log in").await?;
        }
        self.judge(&answer, "log in")
    }

    /// Number and unique-id of each message.
    ///
    /// # Errors
    /// `Unable` when the server keeps no unique-ids.
    pub async fn unique_ids(&mut self) -> Result<Vec<(u32, String)>> {
        let doing = "list its messages";
        let within = self.within;
        self.allow(ALLOWANCE);
        let listed = async {
            match self.ask("UIDL", doing).await {
                Ok(_) => {}
                Err(Error::Refused { server, said, .. }) => {
                    let doing = "tell old messages from new ones".into();
                    let why = format!("it has no UIDL ({said}); use IMAP");
                    return Err(Error::Unable { server, doing, why });
                }
                Err(error) => return Err(error),
            }
            let mut ids = Vec::new();
            loop {
                let text = self.line(doing).await?;
                if text == "." {
                    return Ok(ids);
                }
                let mut words = text.split_ascii_whitespace();
                let number = words.next().and_then(|n| n.parse().ok());
                if let (Some(number), Some(id)) = (number, words.next())
                    && ids.len() < MESSAGES_MAX
                    && id.len() <= ID_MAX
                {
                    ids.push((number, id.to_owned()));
                }
            }
        };
        let ids = tokio::time::timeout(within, listed).await;
        ids.unwrap_or_else(|_| Err(self.silent(doing)))
    }

    /// Fetches a message by its number in this session, at most so many octets of it; `None` when there is none.
    ///
    /// # Errors
    /// What failed.
    pub async fn fetch(&mut self, number: u32, octets_max: usize) -> Result<Option<Message>> {
        let doing = format!("fetch message {number}");
        let within = self.within;
        // A message has to be read to its end, whatever of it is kept.
        self.allow((octets_max as u64).saturating_mul(2).max(ALLOWANCE * 4));
        let read = async {
            match self.ask(&format!("RETR {number}"), &doing).await {
                Ok(_) => {}
                Err(Error::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
            self.body(&doing, octets_max).await.map(Some)
        };
        let read = tokio::time::timeout(within, read).await;
        read.unwrap_or_else(|_| Err(self.silent(&doing)))
    }

    async fn body(&mut self, doing: &str, octets_max: usize) -> Result<Message> {
        let mut message = Message { bytes: Vec::new(), extent: Extent::Whole };
        let mut raw = Vec::new();
        let mut at_start = true;
        loop {
            raw.clear();
            self.raw_line(&mut raw, doing).await?;
            if at_start && (raw == b".\r\n" || raw == b".\n") {
                return Ok(message);
            }
            // RFC 1939 section 3: a dot at the beginning of a line was doubled.
            let text = if at_start { raw.strip_prefix(b".").unwrap_or(&raw) } else { &raw };
            at_start = raw.ends_with(b"\n");
            let room = octets_max.saturating_sub(message.bytes.len());
            if text.len() > room {
                message.extent = Extent::Cut;
            }
            message.bytes.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    /// Marks a message for deletion; it happens at [`Pop3::quit`].
    ///
    /// # Errors
    /// What failed.
    pub async fn delete(&mut self, number: u32) -> Result<()> {
        let doing = format!("delete message {number}");
        self.ask(&format!("DELE {number}"), &doing).await.map(drop)
    }

    /// Ends the session: now the server deletes what was marked.
    ///
    /// # Errors
    /// When it does not say so.
    pub async fn quit(mut self) -> Result<()> {
        self.ask("QUIT", "delete what was marked").await.map(drop)
    }

    fn allow(&mut self, octets: u64) {
        self.wire.get_mut().allow(octets);
    }

    async fn ask(&mut self, command: &str, doing: &str) -> Result<String> {
        self.send(command, doing).await?;
        self.answer(doing).await
    }

    async fn send(&mut self, command: &str, doing: &str) -> Result<()> {
        let bytes = format!("{command}\r\n");
        let written = async {
            self.wire.write_all(bytes.as_bytes()).await?;
            self.wire.flush().await
        };
        match tokio::time::timeout(self.within, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(doing, &error.to_string())),
            Err(_) => Err(self.silent(doing)),
        }
    }

    async fn answer(&mut self, doing: &str) -> Result<String> {
        let text = self.line(doing).await?;
        self.judge(&text, doing)
    }

    fn judge(&self, text: &str, doing: &str) -> Result<String> {
        let (server, doing) = (self.server.clone(), doing.to_owned());
        let upper: String = text.chars().take(4).collect::<String>().to_ascii_uppercase();
        if upper.starts_with("+OK") {
            Ok(text.to_owned())
        } else if upper == "-ERR" {
            Err(Error::Refused { server, doing, said: line(text.get(4..).unwrap_or_default()) })
        } else {
            let why = format!("{:?}", line(text));
            Err(Error::Strange { server, doing, why })
        }
    }

    async fn line(&mut self, doing: &str) -> Result<String> {
        let mut raw = Vec::new();
        let within = self.within;
        let read = tokio::time::timeout(within, self.raw_line(&mut raw, doing)).await;
        read.unwrap_or_else(|_| Err(self.silent(doing)))?;
        if !raw.ends_with(b"\n") {
            let why = "a line without an end".to_owned();
            let (server, doing) = (self.server.clone(), doing.to_owned());
            return Err(Error::Strange { server, doing, why });
        }
        Ok(String::from_utf8_lossy(&raw).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// A line with its end, or a piece of a line that is too long for one.
    async fn raw_line(&mut self, raw: &mut Vec<u8>, doing: &str) -> Result<()> {
        loop {
            let found = self.wire.fill_buf().await;
            let (used, ended) = match found {
                Err(error) => {
                    let why = error.to_string();
                    return Err(self.lost(doing, &why));
                }
                Ok([]) => return Err(self.lost(doing, "the server hung up")),
                Ok(buffer) => match buffer.iter().position(|b| *b == b'\n') {
                    Some(at) => {
                        raw.extend_from_slice(&buffer[..=at]);
                        (at + 1, true)
                    }
                    None => {
                        raw.extend_from_slice(buffer);
                        (buffer.len(), false)
                    }
                },
            };
            self.wire.consume(used);
            if ended || raw.len() >= LINE_MAX {
                return Ok(());
            }
        }
    }

    fn lost(&self, doing: &str, why: &str) -> Error {
        let (server, doing) = (self.server.clone(), doing.to_owned());
        Error::Lost { server, doing, why: line(why) }
    }

    fn silent(&self, doing: &str) -> Error {
        let (server, doing) = (self.server.clone(), doing.to_owned());
        Error::Silent { server, doing, within: self.within }
    }
}

/// A user name or password cannot bring a command of its own along.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect()
}
