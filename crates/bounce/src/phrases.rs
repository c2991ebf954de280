//! Phrases by which a mail is known for what it is: data compiled in (`phrases.toml`), one automaton per list.
//!
//! `gate`, `prose` and `autoreply` ask it. What always holds, by a test: every phrase is in normal form, and every list
//! compiles. It only finds; what a hit is worth is decided by those who ask.

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::sync::OnceLock;

const PHRASES: &str = include_str!("phrases.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    bounce_subjects: Vec<String>,
    bounce_texts: Vec<String>,
    returned_markers: Vec<String>,
    announcements: Vec<String>,
    delay_texts: Vec<String>,
    auto_subjects: Vec<String>,
    loose_auto_subjects: Vec<String>,
    gone_texts: Vec<String>,
    challenge_texts: Vec<String>,
    challenge_subjects: Vec<String>,
}

/// The compiled lists; texts are asked in normal form (`words::normal`).
pub(crate) struct Phrases {
    pub bounce_subjects: List,
    pub bounce_texts: List,
    pub returned_markers: List,
    pub announcements: List,
    pub delay_texts: List,
    pub auto_subjects: List,
    pub loose_auto_subjects: List,
    pub gone_texts: List,
    pub challenge_texts: List,
    pub challenge_subjects: List,
}

/// One list.
pub(crate) struct List(AhoCorasick);

impl List {
    fn new(phrases: &[String]) -> Self {
        let automaton = AhoCorasick::new(phrases)
            .expect("some hundred short phrases fit into an automaton, as a test shows");
        Self(automaton)
    }

    /// Whether any phrase is in the text.
    pub fn is_in(&self, normal: &str) -> bool {
        self.0.is_match(normal)
    }

    /// Whether the text begins with a phrase.
    pub fn is_at_front(&self, normal: &str) -> bool {
        self.0.find_overlapping_iter(normal.trim_start()).any(|hit| hit.start() == 0)
    }
}

/// The lists, compiled at the first use.
pub(crate) fn phrases() -> &'static Phrases {
    static PHRASES: OnceLock<Phrases> = OnceLock::new();
    PHRASES.get_or_init(|| {
        let file = file();
        Phrases {
            bounce_subjects: List::new(&file.bounce_subjects),
            bounce_texts: List::new(&file.bounce_texts),
            returned_markers: List::new(&file.returned_markers),
            announcements: List::new(&file.announcements),
            delay_texts: List::new(&file.delay_texts),
            auto_subjects: List::new(&file.auto_subjects),
            loose_auto_subjects: List::new(&file.loose_auto_subjects),
            gone_texts: List::new(&file.gone_texts),
            challenge_texts: List::new(&file.challenge_texts),
            challenge_subjects: List::new(&file.challenge_subjects),
        }
    })
}

fn file() -> File {
    toml::from_str(PHRASES).expect("phrases.toml is compiled in and read by a test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_in_normal_form() {
        let file = file();
        let lists = [
            &file.bounce_subjects,
            &file.bounce_texts,
            &file.returned_markers,
            &file.announcements,
            &file.delay_texts,
            &file.auto_subjects,
            &file.loose_auto_subjects,
            &file.gone_texts,
            &file.challenge_texts,
            &file.challenge_subjects,
        ];
        for phrase in lists.into_iter().flatten() {
            assert_eq!(*phrase, phrase.to_lowercase());
            assert!(!phrase.contains("e-mail") && !phrase.contains("mail box"), "{phrase}");
            assert_eq!(*phrase, phrase.trim(), "{phrase:?}");
        }
        assert!(phrases().auto_subjects.is_at_front(" auto: x "));
        assert!(!phrases().auto_subjects.is_at_front(" x auto: "));
    }
}
