//! Secrets in a configuration: `{ env = "NAME" }`, `{ file = "…" }`, or (allowed, but warned) in the file itself.
//!
//! The environment is a function given by the caller. What is read is wrapped at once in `Secret`; no problem that
//! is reported here ever holds the text of a secret.

use crate::section::{At, Section};
use postroad_model::Secret;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

const MAX_SECRET_BYTES: u64 = 65_536;

/// A file named in a configuration: relative ones lie beside it.
pub(crate) fn resolve(section: &Section<'_>, file: &str) -> PathBuf {
    section.ctx.source.folder().join(file)
}

/// Reads a file whole, within a bound.
pub(crate) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let file = std::fs::File::open(path)
        .map_err(|e| format!("the file {} cannot be read: {e}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("the file {} cannot be read: {e}", path.display()))?;
    if bytes.len() as u64 > max {
        return Err(format!("the file {} is longer than {max} octets", path.display()));
    }
    Ok(bytes)
}

/// Reads the secret under a key; `None` when the key is absent or wrong (then it is reported).
pub(crate) fn read(section: &Section<'_>, key: &'static str) -> Option<At<Secret>> {
    let value = section.value(key)?;
    let at = value.span().start;
    if matches!(value.get_ref(), DeValue::String(_)) {
        let text = section.word(key)?;
        section.warn(
            at,
            key,
            "the secret stands in the file itself, where backups and version control copy it; better \
             { env = \"NAME\" } or { file = \"path\" }",
        );
        return Some(At { value: Secret::new(text.value), at });
    }
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        let is = value.get_ref().type_str();
        section.error(
            at,
            key,
            format!("must be {{ env = \"NAME\" }} or {{ file = \"path\" }}, not of type {is}"),
        );
        return None;
    }
    let table = section.table(key, "secret")?;
    let (env, file) = (table.word("env"), table.word("file"));
    table.finish();
    let text = match (env, file) {
        (Some(name), None) => from_env(&table, &name),
        (None, Some(file)) => from_file(&table, &file),
        (Some(_), Some(_)) => {
            table.error(at, "env", "give either env or file, not both");
            None
        }
        (None, None) => {
            if !table.has("env") && !table.has("file") {
                section.error(at, key, "needs env = \"NAME\" or file = \"path\"");
            }
            None
        }
    }?;
    Some(At { value: Secret::new(text), at })
}

fn from_env(table: &Section<'_>, name: &At<String>) -> Option<String> {
    let text = (table.ctx.env)(&name.value).filter(|text| !text.trim().is_empty());
    if text.is_none() {
        table.error(
            name.at,
            "env",
            format!(
                "the environment variable {} is not set or empty; set it before the start",
                name.value
            ),
        );
    }
    text
}

fn from_file(table: &Section<'_>, file: &At<String>) -> Option<String> {
    let path = resolve(table, &file.value);
    let text = read_bounded(&path, MAX_SECRET_BYTES).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| format!("the file {} is no text", path.display()))
    });
    match text {
        Ok(text) if text.trim().is_empty() => {
            table.error(file.at, "file", format!("the file {} is empty", path.display()));
            None
        }
        Ok(text) => {
            warn_if_open(table, file.at, &path);
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Err(message) => {
            table.error(file.at, "file", message);
            None
        }
    }
}

#[cfg(unix)]
fn warn_if_open(table: &Section<'_>, at: usize, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map(|m| m.permissions().mode()).unwrap_or(0);
    if mode & 0o007 != 0 {
        table.warn(
            at,
            "file",
            format!("every user of this machine can read {}; chmod 600 it", path.display()),
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Section<'_>, _: usize, _: &Path) {}
