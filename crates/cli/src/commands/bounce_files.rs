//! Mails in files: single ones, mbox files, folders and Maildirs; and many of them read at once.
//!
//! An mbox file begins with `From ` (RFC 4155); its mails are told apart at such a line after an empty one. What cannot be
//! read is said and left out: a broken file is a finding, not a failure.

use postroad_bounce::Reading;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;

/// Larger files are cut there: an mbox of a year, but no memory full.
const MAX_FILE: u64 = 512 * 1024 * 1024;
/// Folders in folders.
const MAX_DEPTH: usize = 16;
/// Files that are read and classified together.
const BATCH: usize = 512;

/// One mail of a file.
pub struct Mail {
    /// The file.
    pub path: PathBuf,
    /// Its place in an mbox, from 1.
    pub number: Option<usize>,
    pub bytes: Vec<u8>,
}

/// A mail that was read.
pub struct Classified {
    pub path: PathBuf,
    pub number: Option<usize>,
    pub reading: Reading,
}

/// A file that could not be read.
pub struct Unreadable {
    pub path: PathBuf,
    pub why: String,
}

/// The files behind what was typed, folders in the order of names.
pub fn expand(typed: &[PathBuf]) -> (Vec<PathBuf>, Vec<Unreadable>) {
    let (mut files, mut bad) = (Vec::new(), Vec::new());
    for path in typed {
        walk(path, 0, &mut files, &mut bad);
    }
    (files, bad)
}

fn walk(path: &Path, depth: usize, files: &mut Vec<PathBuf>, bad: &mut Vec<Unreadable>) {
    if !path.is_dir() || path == Path::new("-") {
        files.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match entries {
        Ok(entries) if depth < MAX_DEPTH => {
            let mut inside: Vec<PathBuf> = entries
                .into_iter()
                .filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
                .map(|e| e.path())
                .collect();
            inside.sort_unstable();
            inside.iter().for_each(|p| walk(p, depth + 1, files, bad));
        }
        Ok(_) => {
            bad.push(Unreadable { path: path.to_owned(), why: "too many folders deep".into() });
        }
        Err(error) => bad.push(Unreadable { path: path.to_owned(), why: error.to_string() }),
    }
}

/// The mails of one file.
pub fn mails(path: &Path) -> Result<Vec<Mail>, Unreadable> {
    let bytes = bytes(path)
        .map_err(|error| Unreadable { path: path.to_owned(), why: error.to_string() })?;
    let mail = |number, bytes: &[u8]| Mail { path: path.to_owned(), number, bytes: bytes.to_vec() };
    if !bytes.starts_with(b"From ") {
        return Ok(vec![Mail { path: path.to_owned(), number: None, bytes }]);
    }
    let all = split_mbox(&bytes);
    Ok(all.into_iter().enumerate().map(|(n, bytes)| mail(Some(n + 1), bytes)).collect())
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The mails of an mbox without their `From ` lines.
pub fn split_mbox(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let (mut at, mut blank) = (0, true);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        // The line ends in a date with its time: a sentence that begins with From does not.
        if blank && line.starts_with(b"From ") && line.contains(&b':') {
            starts.push((at, at + line.len()));
        }
        blank = matches!(line, b"\n" | b"\r\n");
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    starts.iter().zip(ends).map(|((_, body), end)| &bytes[*body..end.max(*body)]).collect()
}

/// Reads and classifies files on all processors, and hands them on in their order.
pub fn classify(
    files: &[PathBuf],
    mut each: impl FnMut(Result<Classified, Unreadable>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads = thread::available_parallelism().map_or(2, usize::from).min(16);
    for batch in files.chunks(BATCH) {
        let share = batch.len().div_ceil(threads);
        let parts: Vec<Vec<Result<Classified, Unreadable>>> = thread::scope(|scope| {
            let workers: Vec<_> = batch
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().flat_map(|p| one(p)).collect()))
                .collect();
            workers.into_iter().map(|w| w.join().unwrap_or_default()).collect()
        });
        parts.into_iter().flatten().try_for_each(&mut each)?;
    }
    Ok(())
}

fn one(path: &Path) -> Vec<Result<Classified, Unreadable>> {
    match mails(path) {
        Err(bad) => vec![Err(bad)],
        Ok(mails) => mails
            .into_iter()
            .map(|m| {
                let reading = postroad_bounce::read(&m.bytes);
                Ok(Classified { path: m.path, number: m.number, reading })
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mbox_is_split_at_its_from_lines_only() {
        let check = |mbox: &str, expected: &[&str]| {
            let mails = split_mbox(mbox.as_bytes());
            assert_eq!(mails, expected.iter().map(|m| m.as_bytes()).collect::<Vec<_>>());
        };
        check(
            "From a@b Mon Nov 23 02:00:00 2026\nA: 1\n\nFrom here on\nFrom x 1:2\n\nFrom - Tue 3:4\r\nB: 2\r\n\r\n",
            &["A: 1\n\nFrom here on\nFrom x 1:2\n\n", "B: 2\r\n\r\n"],
        );
        check("Subject: none\n", &[]);
        check("From a 1:2\n", &[""]);
    }
}
