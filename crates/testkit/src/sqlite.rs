//! A fresh SQLite file for a test, in a folder that goes with the guard.

use tempfile::TempDir;

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
    let url = format!("sqlite:{}", folder.path().join("postroad.db").display());
    Database { url, folder }
}

impl Database {
    /// Its address: `sqlite:FILE`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the file, for other files of the test.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
