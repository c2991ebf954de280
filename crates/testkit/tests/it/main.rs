//! What must hold for the repository as a whole: each test names the file to edit when it fails.

#![expect(clippy::unwrap_used, reason = "all of this is tests")]

mod documents;
mod layers;
mod manifests;
mod repository;
mod sources;
mod statements;
mod states;
