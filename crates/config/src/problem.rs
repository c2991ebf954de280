//! Problems: what is wrong in a file, where, and what would be right.
//!
//! The reader collects all of them before it gives up, so that an operator mends a file in one go. Every problem
//! names file, line, column and key. It deliberately knows nothing of what the keys mean.

use std::{cell::RefCell, collections::BTreeSet, fmt, path::PathBuf};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is used, but the operator should know.
    Warning,
}

/// One problem and its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How bad.
    pub severity: Severity,
    /// The key, e.g. `relay[ses-1].limits[0].amount`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A file's text with its name.
pub(crate) struct Source {
    pub path: PathBuf,
    pub text: String,
}

impl Source {
    /// Line and column of a byte offset.
    fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The folder that relative files in it are looked up in.
    pub fn folder(&self) -> &std::path::Path {
        self.path.parent().unwrap_or(std::path::Path::new(""))
    }
}

/// The problems found so far, and every key that the reader asked for (the sample must explain each).
#[derive(Default)]
pub(crate) struct Problems {
    list: RefCell<Vec<Problem>>,
    keys: RefCell<BTreeSet<(&'static str, &'static str)>>,
}

impl Problems {
    pub fn push(&self, source: &Source, severity: Severity, at: usize, key: &str, message: String) {
        let (line, column) = source.position(at);
        let (file, key) = (source.path.clone(), key.to_owned());
        self.list.borrow_mut().push(Problem { file, line, column, severity, key, message });
    }

    pub fn asked_for(&self, section: &'static str, key: &'static str) {
        self.keys.borrow_mut().insert((section, key));
    }

    /// Errors, warnings (both in file order) and the keys asked for.
    pub fn into_parts(
        self,
    ) -> (Vec<Problem>, Vec<Problem>, BTreeSet<(&'static str, &'static str)>) {
        let mut list = self.list.into_inner();
        list.sort();
        list.dedup();
        let (errors, warnings) = list.into_iter().partition(|p| p.severity == Severity::Error);
        (errors, warnings, self.keys.into_inner())
    }
}

/// What is read from: a file, where its problems go, and the environment (an argument, never read here).
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub source: &'a Source,
    pub problems: &'a Problems,
    pub env: crate::EnvLookup<'a>,
}

impl Context<'_> {
    pub fn error(&self, at: usize, key: &str, message: impl Into<String>) {
        self.problems.push(self.source, Severity::Error, at, key, message.into());
    }

    pub fn warn(&self, at: usize, key: &str, message: impl Into<String>) {
        self.problems.push(self.source, Severity::Warning, at, key, message.into());
    }
}

/// The known word nearest to a wrong one, if it is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, k)| {
            *distance <= (k.len().max(lower.len()) / 3).max(1)
                || strsim::jaro_winkler(&lower, k) > 0.88
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// `; did you mean "x"?`, or the list of what is known.
pub(crate) fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("; did you mean {near:?}?");
    }
    let mut all: Vec<&str> = known.into_iter().collect();
    if all.is_empty() {
        return String::new();
    }
    all.sort_unstable();
    format!("; known here: {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let check = |word: &str, expected: Option<&str>| {
            let known = ["password", "profile", "reserve", "from", "send_as"];
            assert_eq!(nearest(word, known), expected, "{word}");
        };
        check("pasword", Some("password"));
        check("Profile", Some("profile"));
        check("form", Some("from"));
        check("sendas", Some("send_as"));
        check("colour", None);
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source { path: "x".into(), text: "a\nđược = 1".into() };
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (2, 1));
        assert_eq!(source.position("a\nđược".len()), (2, 5));
        assert_eq!(source.position(999), (2, 9));
    }
}
