//! Keeps messages as files, one each, so that they can be opened with a mail program.
//!
//! Called by the sink before it accepts. The Maildir way: written under `tmp/`, then renamed into `new/`,
//! so a file that is seen is whole. It never deletes anything.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::error::Error;

/// A folder with `tmp/` and `new/`.
#[derive(Debug)]
pub struct MailFolder {
    root: PathBuf,
    unique: String,
    count: AtomicU64,
}

impl MailFolder {
    /// Makes the folder if it is not there. `unique` goes into each file's name and must differ between
    /// runs and servers that share the folder (a start time, a process number).
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(root: &Path, unique: impl Into<String>) -> Result<Self, Error> {
        for part in ["tmp", "new"] {
            let path = root.join(part);
            std::fs::create_dir_all(&path).map_err(|source| Error::File {
                what: "make",
                path,
                source,
            })?;
        }
        Ok(Self { root: root.to_owned(), unique: unique.into(), count: AtomicU64::new(0) })
    }

    pub(crate) async fn keep(&self, message: &[u8]) -> io::Result<()> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.{count:08}.eml", self.unique);
        let draft = self.root.join("tmp").join(&name);
        tokio::fs::write(&draft, message).await?;
        tokio::fs::rename(&draft, self.root.join("new").join(&name)).await
    }
}
