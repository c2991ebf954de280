//! An IMAP server of a few lines with the quirks that a test wants: Gmail's tabs, searches that find nothing, hanging up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A message of the fake: its folder, its header, and its tab.
#[derive(Clone, Debug)]
pub struct Mail {
    pub folder: &'static str,
    pub header: String,
    pub tab: &'static str,
}

/// What is odd about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// SEARCH HEADER finds nothing, as where only the usual fields are indexed.
    pub blind_search: bool,
    /// It hangs up when it is asked to open this folder.
    pub hangs_up_at: Option<&'static str>,
    /// It refuses to open this folder.
    pub refuses: Option<&'static str>,
    /// Its folders are empty until the inbox was opened more often than this.
    pub empty_until: usize,
    /// Its inbox is empty until All Mail was opened: a message that arrives in between.
    pub inbox_after_all: bool,
    /// It opens no folder until it is told to.
    pub gated: bool,
}

pub struct Fake {
    pub at: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    said: Arc<Mutex<Vec<String>>>,
    closed: Arc<Semaphore>,
    asked: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

const FOLDERS: &str = "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
    * LIST (\\HasChildren \\Noselect) \"/\" \"[Gmail]\"\r\n\
    * LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/All Mail\"\r\n\
    * LIST (\\HasNoChildren \\Junk) \"/\" \"[Gmail]/Spam\"\r\n\
    * LIST (\\HasNoChildren \\Sent) \"/\" \"[Gmail]/Sent Mail\"\r\n";

impl Fake {
    pub async fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (mails, said) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::default());
        let new = || Arc::new(Semaphore::new(0));
        let (closed, asked, gate) = (new(), new(), new());
        let fake = Self {
            at,
            mails: mails.clone(),
            said: Arc::clone(&said),
            closed: closed.clone(),
            asked: asked.clone(),
            gate: gate.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let gate = (asked.clone(), gate.clone());
                let talk =
                    Talk { quirks, mails: mails.clone(), said: said.clone(), open: "", gate };
                let closed = closed.clone();
                tokio::spawn(async move {
                    talk.run(stream).await;
                    closed.add_permits(1);
                });
            }
        });
        fake
    }

    pub fn put(&self, folder: &'static str, tab: &'static str, header: String) {
        self.mails.lock().unwrap().push(Mail { folder, header, tab });
    }

    /// Waits until so many connections have ended.
    pub async fn closed(&self, connections: u32) {
        let ended = self.closed.acquire_many(connections);
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        ended.unwrap().unwrap().forget();
    }

    /// Waits until a folder is to be opened, which then waits for [`Self::go`].
    pub async fn asked(&self) {
        let asked = tokio::time::timeout(Duration::from_secs(60), self.asked.acquire()).await;
        asked.unwrap().unwrap().forget();
    }

    /// Lets it open one folder.
    pub fn go(&self) {
        self.gate.add_permits(1);
    }

    /// Every command line that it got, without the tags.
    pub fn commands(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

struct Talk {
    quirks: Quirks,
    mails: Arc<Mutex<Vec<Mail>>>,
    said: Arc<Mutex<Vec<String>>>,
    open: &'static str,
    gate: (Arc<Semaphore>, Arc<Semaphore>),
}

impl Talk {
    async fn run(mut self, stream: TcpStream) {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        if write.write_all(b"* OK ready\r\n").await.is_err() {
            return;
        }
        while let Ok(Some(line)) = lines.next_line().await {
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            self.said.lock().unwrap().push(command.to_owned());
            if self.quirks.gated && command.starts_with("EXAMINE") {
                self.gate.0.add_permits(1);
                self.gate.1.acquire().await.unwrap().forget();
            }
            let Some(answer) = self.answer(command) else { return };
            if write.write_all(answer.replace("TAG", tag).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// `None`: it hangs up.
    fn answer(&mut self, command: &str) -> Option<String> {
        let upper = command.to_ascii_uppercase();
        let answer = if upper.starts_with("CAPABILITY") {
            "* CAPABILITY IMAP4rev1 X-GM-EXT-1\r\n".to_owned()
        } else if upper.starts_with("LIST") {
            FOLDERS.to_owned()
        } else if upper.starts_with("EXAMINE") {
            let folders = ["[Gmail]/All Mail", "[Gmail]/Spam", "INBOX"];
            self.open = folders.into_iter().find(|f| command.contains(f)).unwrap();
            if self.quirks.hangs_up_at == Some(self.open) {
                return None;
            }
            if self.quirks.refuses == Some(self.open) {
                return Some("TAG NO not now\r\n".into());
            }
            let n = self.here().len();
            format!("* {n} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n")
        } else if upper.starts_with("UID SEARCH") {
            self.search(command)
        } else if upper.starts_with("UID FETCH") {
            self.fetch(command)
        } else if upper.starts_with("LOGOUT") {
            "* BYE\r\n".to_owned()
        } else {
            String::new()
        };
        Some(format!("{answer}TAG OK done\r\n"))
    }

    /// UIDs and messages of the open folder.
    fn here(&self) -> Vec<(usize, Mail)> {
        let said = self.said.lock().unwrap();
        let opened = said.iter().filter(|c| c.starts_with("EXAMINE") && c.contains("INBOX"));
        if opened.count() <= self.quirks.empty_until {
            return Vec::new();
        }
        let all = said.iter().any(|c| c.starts_with("EXAMINE") && c.contains("All Mail"));
        if self.quirks.inbox_after_all && self.open == "INBOX" && !all {
            return Vec::new();
        }
        let mails = self.mails.lock().unwrap();
        let here = mails.iter().enumerate().filter(|(_, m)| m.folder == self.open);
        here.map(|(n, m)| (n + 1, m.clone())).collect()
    }

    fn search(&self, command: &str) -> String {
        let quoted: Vec<&str> = command.split('"').collect();
        let found = |uid: usize, mail: &Mail| {
            if command.contains("X-GM-RAW") {
                let tab = quoted[1].strip_prefix("category:").unwrap();
                command.contains(&format!("UID {uid} ")) && mail.tab == tab
            } else if command.contains("HEADER") {
                !self.quirks.blind_search && mail.header.contains(quoted[3])
            } else {
                true
            }
        };
        let uids: Vec<String> = self
            .here()
            .iter()
            .filter(|(uid, mail)| found(*uid, mail))
            .map(|(uid, _)| uid.to_string())
            .collect();
        format!("* SEARCH {}\r\n", uids.join(" "))
    }

    fn fetch(&self, command: &str) -> String {
        let set = command.split(' ').nth(2).unwrap();
        let wanted: Vec<usize> = set.split(',').filter_map(|n| n.parse().ok()).collect();
        let mut answer = String::new();
        for (uid, mail) in self.here().iter().filter(|(uid, _)| wanted.contains(uid)) {
            let header = format!("{}\r\n", mail.header);
            let section = if command.contains("FIELDS") {
                "BODY[HEADER.FIELDS (X-POSTROAD-REF)]"
            } else {
                "INTERNALDATE \"21-Nov-2026 15:26:40 +0000\" BODY[HEADER]"
            };
            let size = header.len();
            answer.push_str(&format!(
                "* {uid} FETCH (UID {uid} {section} {{{size}}}\r\n{header})\r\n"
            ));
        }
        answer
    }
}
