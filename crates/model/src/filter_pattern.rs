//! LIKE patterns of a filter: `%` is any run, `_` any character (ISO 9075 section 8.5).
//!
//! Part of `filter`, which evaluates them. Matching takes at most the text's length times the pattern's, so that no
//! pattern can stall an audience.

/// Whether letters are told apart by case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Case {
    /// `LIKE`.
    Exact,
    /// `ILIKE`.
    Ignored,
}

/// A pattern of LIKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
    case: Case,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// `%`
    AnyRun,
    /// `_`
    AnyChar,
    /// Itself.
    Char(char),
}

impl Pattern {
    /// Reads a LIKE pattern; `escape` (a backslash where SQL names none) makes the next character itself.
    #[must_use]
    pub fn new(text: &str, escape: Option<char>, case: Case) -> Self {
        let fold = |c: char| match case {
            Case::Exact => c,
            Case::Ignored => lower(c),
        };
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                c if Some(c) == escape => Part::Char(fold(chars.next().unwrap_or(c))),
                '%' => Part::AnyRun,
                '_' => Part::AnyChar,
                c => Part::Char(fold(c)),
            });
        }
        parts.dedup_by(|a, b| *a == Part::AnyRun && *b == Part::AnyRun);
        Self { parts, case }
    }

    /// Matches the whole text, in time of at most its length times the pattern's.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = match self.case {
            Case::Exact => text.chars().collect(),
            Case::Ignored => text.chars().map(lower).collect(),
        };
        let (mut t, mut p) = (0, 0);
        // Where to go on when what follows the last % did not fit: one character further.
        let mut again: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.parts.get(p) {
                Some(Part::AnyRun) => {
                    again = Some((t, p + 1));
                    p += 1;
                    continue;
                }
                Some(Part::AnyChar) => {}
                Some(Part::Char(c)) if *c == text[t] => {}
                Some(Part::Char(_)) | None => match again.as_mut() {
                    Some((from, after)) => {
                        *from += 1;
                        (t, p) = (*from, *after);
                        continue;
                    }
                    None => return false,
                },
            }
            (t, p) = (t + 1, p + 1);
        }
        self.parts[p..].iter().all(|part| *part == Part::AnyRun)
    }
}

/// One character in lower case; the few that become several keep their first.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}
