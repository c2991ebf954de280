//! An IMAP connection that is logged in (RFC 3501, RFC 9051), on async-imap.
//!
//! Opened by the watcher and by placement. LOGIN or XOAUTH2; SELECT or EXAMINE; UID SEARCH, UID FETCH with
//! BODY.PEEK and a partial range as size bound; IDLE (RFC 2177) where offered, else the caller polls; MOVE (RFC 6851),
//! else COPY, STORE and UID EXPUNGE (RFC 4315). What must always hold: every command has an end and an allowance;
//! nothing is marked as read; without MOVE and UIDPLUS nothing is expunged, because plain EXPUNGE would take what
//! other programs have marked along.

use crate::access::{Access, Login};
use crate::error::line;
use crate::folder::{Folder, guess, of_name};
use crate::link::{ALLOWANCE, Link, dial, encrypt, server};
use crate::query::{Query, words};
use crate::{Error, Extent, Message, Result};
use async_imap::extensions::idle::IdleResponse;
use async_imap::types::Capabilities;
use async_imap::{Client, Session};
use futures_util::{FutureExt, Stream, TryStreamExt};
use postroad_model::relay::TlsMode;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Beside a message's octets an answer holds little.
const AROUND_A_MESSAGE: u64 = 1024 * 1024;
/// RFC 2177 section 3: an IDLE is ended and begun anew at least every 29 minutes.
const IDLE_LONGEST: Duration = Duration::from_secs(25 * 60);
const FOLDERS_MAX: usize = 10_000;

/// How a folder is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// SELECT: messages may be moved.
    ReadWrite,
    /// EXAMINE: nothing changes.
    ReadOnly,
}

/// What a folder said when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Under which its UIDs mean something.
    pub validity: u32,
    /// The next message's UID, where told.
    pub uid_next: Option<u32>,
    /// How many messages lie there.
    pub exists: u32,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The server told of something new.
    Changed,
    /// Nothing happened.
    Time,
}

/// A connection.
pub struct Imap {
    /// Taken out while it idles.
    session: Option<Session<Link>>,
    capabilities: Capabilities,
    pub(crate) server: String,
    pub(crate) within: Duration,
}

impl std::fmt::Debug for Imap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Imap({})", self.server)
    }
}

impl Imap {
    /// Connects and logs in.
    ///
    /// # Errors
    /// What failed, with what to do.
    pub async fn open(access: &Access) -> Result<Self> {
        let link = dial(access).await?;
        let (server, within) = (server(access), access.timeouts.command);
        let mut client = Client::new(link);
        greeting(&mut client, &server, within).await?;
        if access.endpoint.tls == TlsMode::Starttls {
            let doing = "start TLS";
            let asked = client.run_command_and_check_ok("STARTTLS", None);
            bounded(&server, doing, within, asked).await?;
            // The client is dropped with whatever was said in clear text after the answer.
            client = Client::new(encrypt(access, client.into_inner()).await?);
        }
        let mut session = login(client, access, &server).await?;
        let asked = session.capabilities();
        let capabilities = bounded(&server, "tell what it can", within, asked).await?;
        Ok(Self { session: Some(session), capabilities, server, within })
    }

    /// True when the server announced an extension, such as `MOVE` or `X-GM-EXT-1`.
    #[must_use]
    pub fn can(&self, extension: &str) -> bool {
        self.capabilities.has_str(extension)
    }

    /// The folders with what they are for.
    ///
    /// # Errors
    /// What failed.
    pub async fn folders(&mut self) -> Result<Vec<Folder>> {
        let (server, within) = (self.server.clone(), self.within);
        // Some servers tell what a folder is for only when they are asked (RFC 6154, section 2, by RFC 5258's RETURN); the
        // library writes the pattern as it is.
        let extended = self.can("SPECIAL-USE") && self.can("LIST-EXTENDED");
        let pattern = if extended { "* RETURN (SPECIAL-USE)" } else { "*" };
        let session = self.session(ALLOWANCE)?;
        let listed = async {
            let names = session.list(Some(""), Some(pattern)).await?;
            collect(names, FOLDERS_MAX).await
        };
        let names = bounded(&server, "list its folders", within, listed).await?;
        let mut folders: Vec<Folder> = names.iter().map(of_name).collect();
        for n in 0..folders.len() {
            if folders[n].special_use.is_none() {
                let guessed = guess(&folders[n].title(), folders[n].delimiter.as_deref());
                let told = guessed.is_some() && folders.iter().any(|f| f.special_use == guessed);
                folders[n].special_use = guessed.filter(|_| !told);
            }
        }
        Ok(folders)
    }

    /// Opens a folder.
    ///
    /// # Errors
    /// When there is none of that name, or the server keeps no UIDs.
    pub async fn select(&mut self, folder: &str, opening: Opening) -> Result<Selected> {
        let (server, within) = (self.server.clone(), self.within);
        let session = self.session(ALLOWANCE)?;
        let doing = format!("open the folder {folder:?}");
        let asked = async {
            match opening {
                Opening::ReadWrite => session.select(folder).await,
                Opening::ReadOnly => session.examine(folder).await,
            }
        };
        let mailbox = bounded(&server, &doing, within, asked).await?;
        let Some(validity) = mailbox.uid_validity else {
            let why =
                "it gives no UIDVALIDITY, so nobody can tell old mail from new; use POP3".into();
            return Err(Error::Unable { server, doing, why });
        };
        Ok(Selected { validity, uid_next: mailbox.uid_next, exists: mailbox.exists })
    }

    /// The UIDs of messages, ascending.
    ///
    /// # Errors
    /// What failed.
    pub async fn search(&mut self, query: &Query) -> Result<Vec<u32>> {
        let (server, within) = (self.server.clone(), self.within);
        let session = self.session(ALLOWANCE)?;
        let words = words(query);
        let found =
            bounded(&server, "search the folder", within, session.uid_search(&words)).await?;
        // `n:*` names the last message too when n lies behind it.
        let from = match query {
            Query::From(uid) => *uid,
            Query::Since(..) | Query::HeaderSince { .. } | Query::Gmail { .. } => 0,
        };
        let mut uids: Vec<u32> = found.into_iter().filter(|uid| *uid >= from).collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// Fetches a message, at most so many octets of it, without marking it as read; `None` when it is gone.
    ///
    /// # Errors
    /// What failed.
    pub async fn fetch(&mut self, uid: u32, octets_max: usize) -> Result<Option<Message>> {
        let (server, within) = (self.server.clone(), self.within);
        let session = self.session(octets_max as u64 + AROUND_A_MESSAGE)?;
        // One octet more shows that there is more.
        let query = format!("(UID BODY.PEEK[]<0.{}>)", octets_max.saturating_add(1));
        let fetched = async {
            let mut answers = session.uid_fetch(uid.to_string(), &query).await?;
            let mut bytes = None;
            while let Some(answer) = answers.try_next().await? {
                // The server may tell of other messages in between (RFC 3501 section 7).
                if answer.uid == Some(uid)
                    && let Some(body) = answer.body()
                {
                    bytes = Some(body.to_vec());
                }
            }
            Ok(bytes)
        };
        let doing = format!("fetch message {uid}");
        let bytes: Option<Vec<u8>> = bounded(&server, &doing, within, fetched).await?;
        Ok(bytes.map(|mut bytes| {
            let extent = if bytes.len() > octets_max { Extent::Cut } else { Extent::Whole };
            bytes.truncate(octets_max);
            Message { bytes, extent }
        }))
    }

    /// Moves a message into another folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the server refuses, or can only do it by taking other marked messages along.
    pub async fn move_to(&mut self, uid: u32, folder: &str) -> Result<()> {
        match self.try_move(uid, folder).await {
            // RFC 3501 section 6.4.7: TRYCREATE says that the folder is not there.
            Err(Error::Refused { .. }) => {
                let (server, within) = (self.server.clone(), self.within);
                let doing = format!("make the folder {folder:?}");
                let made =
                    bounded(&server, &doing, within, self.session(ALLOWANCE)?.create(folder)).await;
                let moved = self.try_move(uid, folder).await;
                match (made, moved) {
                    (_, Ok(())) => Ok(()),
                    (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
                }
            }
            other => other,
        }
    }

    async fn try_move(&mut self, uid: u32, folder: &str) -> Result<()> {
        let (server, within) = (self.server.clone(), self.within);
        let doing = format!("move message {uid} to {folder:?}");
        let (moves, expunges) = (self.can("MOVE"), self.can("UIDPLUS"));
        if !moves && !expunges {
            let why = "it has neither MOVE nor UIDPLUS; leave messages where they are".into();
            return Err(Error::Unable { server, doing, why });
        }
        let session = self.session(ALLOWANCE)?;
        let uid = uid.to_string();
        let asked = async {
            if moves {
                return session.uid_mv(&uid, folder).await;
            }
            session.uid_copy(&uid, folder).await?;
            collect(session.uid_store(&uid, "+FLAGS.SILENT (\\Deleted)").await?, FOLDERS_MAX)
                .await?;
            collect(session.uid_expunge(&uid).await?, FOLDERS_MAX).await?;
            Ok(())
        };
        bounded(&server, &doing, within, asked).await
    }

    /// Waits until something changes in the folder, with IDLE where the server has it; otherwise it only waits and
    /// asks (NOOP). Ends early when `until` does.
    ///
    /// # Errors
    /// What failed; the connection is of no more use then.
    pub async fn wait(
        &mut self,
        longest: Duration,
        until: impl Future<Output = ()>,
    ) -> Result<Woken> {
        let (server, within) = (self.server.clone(), self.within);
        let longest = longest.min(IDLE_LONGEST);
        if !self.can("IDLE") {
            // Whoever is called away need not be told of news; the next look finds them.
            let _ = tokio::time::timeout(longest, until).await;
            bounded(&server, "say that it lives", within, self.session(ALLOWANCE)?.noop()).await?;
            return Ok(Woken::Time);
        }
        self.session(ALLOWANCE)?;
        let Some(session) = self.session.take() else { return Err(self.gone()) };
        let mut idle = session.idle();
        bounded(&server, "begin to idle", within, idle.init()).await?;
        let woken = {
            let (waiting, _interrupt) = idle.wait_with_timeout(longest);
            tokio::select! {
                // The bound within counts from the last word of the server; this one counts in all.
                woken = tokio::time::timeout(longest, AssertUnwindSafe(waiting).catch_unwind()) => {
                    woken.unwrap_or(Ok(Ok(IdleResponse::Timeout)))
                }
                () = until => Ok(Ok(IdleResponse::Timeout)),
            }
        };
        let woken = woken.map_err(|_| unreadable(&server, "wait for mail"))?;
        let woken = match woken {
            Ok(IdleResponse::NewData(_)) => Woken::Changed,
            // The library calls the end of the connection so; the next command finds out.
            Ok(IdleResponse::Timeout | IdleResponse::ManualInterrupt) => Woken::Time,
            Err(error) => return Err(explain(&server, "wait for mail", error)),
        };
        self.session = Some(bounded(&server, "end its idling", within, idle.done()).await?);
        Ok(woken)
    }

    /// Says goodbye. A failure does not matter any more.
    pub async fn close(mut self) {
        let (server, within) = (self.server.clone(), Duration::from_secs(5));
        if let Ok(session) = self.session(ALLOWANCE)
            && let Err(error) = bounded(&server, "log out", within, session.logout()).await
        {
            tracing::debug!(%error, "the connection ended without a goodbye");
        }
    }

    pub(crate) fn session(&mut self, allowance: u64) -> Result<&mut Session<Link>> {
        let lost = self.gone();
        let session = self.session.as_mut().ok_or(lost)?;
        session.get_mut().allow(allowance);
        Ok(session)
    }

    fn gone(&self) -> Error {
        let (server, doing) = (self.server.clone(), "be asked".to_owned());
        Error::Lost { server, doing, why: "an earlier command failed".into() }
    }
}

async fn greeting(client: &mut Client<Link>, server: &str, within: Duration) -> Result<()> {
    let doing = "greet";
    let read = async { Ok(client.read_response().await?) };
    match bounded(server, doing, within, read).await? {
        Some(_) => Ok(()),
        None => Err(Error::Lost {
            server: server.to_owned(),
            doing: doing.into(),
            why: "it hung up; a port that wants TLS from the first byte does that: check tls"
                .into(),
        }),
    }
}

struct Xoauth2(String);

impl async_imap::Authenticator for Xoauth2 {
    type Response = String;

    /// The second challenge holds the error; an empty answer asks for the refusal.
    fn process(&mut self, _challenge: &[u8]) -> String {
        std::mem::take(&mut self.0)
    }
}

async fn login(client: Client<Link>, access: &Access, server: &str) -> Result<Session<Link>> {
    let within = access.timeouts.login;
    let doing = "log in";
    let asked = async {
        match &access.login {
            Login::Password { username, password } => {
                client.login(username, password.expose()).await.map_err(|(error, _)| error)
            }
            Login::Bearer { username, token } => {
                let first = format!("user={username}\x01auth=Bearer {}\x01\x01", token.expose());
                let way = client.authenticate("XOAUTH2", Xoauth2(first)).await;
                way.map_err(|(error, _)| error)
            }
        }
    };
    match bounded(server, doing, within, asked).await {
        Err(Error::Refused { server, said, .. }) => Err(Error::Login {
            server,
            username: access.login.username().to_owned(),
            said,
            advice: access.login_advice.clone(),
        }),
        other => other,
    }
}

/// Runs a command with an end. The library's parser panics on some answers that no honest server gives (a response
/// code followed by an octet outside ASCII); that is the server's fault and ends this connection, not the caller.
pub(crate) async fn bounded<T>(
    server: &str,
    doing: &str,
    within: Duration,
    asked: impl Future<Output = async_imap::error::Result<T>>,
) -> Result<T> {
    let asked = AssertUnwindSafe(asked).catch_unwind();
    match tokio::time::timeout(within, asked).await {
        Ok(Ok(done)) => done.map_err(|error| explain(server, doing, error)),
        Ok(Err(_)) => Err(unreadable(server, doing)),
        Err(_) => Err(Error::Silent { server: server.into(), doing: doing.into(), within }),
    }
}

fn unreadable(server: &str, doing: &str) -> Error {
    let why = "its words cannot be read as IMAP".into();
    Error::Strange { server: server.into(), doing: doing.into(), why }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow")]
fn explain(server: &str, doing: &str, error: async_imap::error::Error) -> Error {
    use async_imap::error::Error as E;
    let (server, doing) = (server.to_owned(), doing.to_owned());
    match error {
        E::No(said) | E::Bad(said) => Error::Refused { server, doing, said: spoken(&said) },
        E::Io(error) => Error::Lost { server, doing, why: line(&error.to_string()) },
        E::ConnectionLost => Error::Lost { server, doing, why: "the server hung up".into() },
        other => Error::Strange { server, doing, why: line(&other.to_string()) },
    }
}

/// What the server said, out of the library's debug text: `code: None, info: Some("...")`.
fn spoken(said: &str) -> String {
    let found =
        said.split_once("info: Some(\"").or_else(|| said.split_once("information: Some(\""));
    let text =
        found.map_or(said, |(_, rest)| rest.rsplit_once("\")").map_or(rest, |(text, _)| text));
    line(text)
}

/// Reads a stream to its end, which it needs, and keeps so many of its items.
async fn collect<T>(
    stream: impl Stream<Item = async_imap::error::Result<T>>,
    max: usize,
) -> async_imap::error::Result<Vec<T>> {
    stream
        .try_fold(Vec::new(), |mut all, item| async move {
            if all.len() < max {
                all.push(item);
            }
            Ok(all)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server_are_told_without_the_library_around_them() {
        assert_eq!(
            spoken("code: None, info: Some(\"[ALERT] Application-specific password required\")"),
            "[ALERT] Application-specific password required"
        );
        assert_eq!(spoken("anything"), "anything");
    }
}
