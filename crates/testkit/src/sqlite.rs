//! A fresh SQLite file for a test, in a folder that goes with the guard.

use crate::program::find;
use crate::skip::skip;
use std::io::{Seek as _, Write as _};
use std::process::Command;
use tempfile::TempDir;

const FILE: &str = "postroad.db";

/// A place for a database; the file itself is made by the store.
#[derive(Debug)]
pub struct Database {
    url: String,
    folder: TempDir,
}

/// A fresh place.
///
/// # Panics
/// When the temporary folder cannot be written.
#[must_use]
pub fn database() -> Database {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let url = format!("sqlite:{}", folder.path().join(FILE).display());
    Database { url, folder }
}

impl Database {
    /// Its address: `sqlite:FILE`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL with SQLite's own shell and gives what it prints; `None` after saying `SKIPPED` when it is not
    /// installed.
    ///
    /// # Panics
    /// When the SQL fails, and where skips are failures.
    #[must_use]
    pub fn query(&self, sql: &str) -> Option<String> {
        let Some(program) = find("sqlite3") else {
            skip("no SQLite shell here; run: apt-get install sqlite3");
            return None;
        };
        let mut script = tempfile::tempfile().expect("the temporary folder can be written");
        script.write_all(sql.as_bytes()).and_then(|()| script.rewind()).expect("it can be written");
        let mut command = Command::new(program);
        command.args(["-batch", "-bail"]).arg(self.folder.path().join(FILE)).stdin(script);
        let output = command.output().unwrap_or_else(|e| panic!("cannot run sqlite3: {e}"));
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The folder of the file, for other files of the test.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
