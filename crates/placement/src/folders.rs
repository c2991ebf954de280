//! The folders of a seed mailbox, in the order in which they are looked into.
//!
//! Used by `look` and `check`. RFC 6154 where the server tells, names in many languages where it does not (`mailbox`). The
//! inbox first, because most copies are there; then junk; then what rules of the owner may have made; Gmail's All Mail last,
//! which holds a copy of everything but spam and trash. Never looked into: sent mail, drafts and views of other folders.

use postroad_mailbox::{Folder, Selectable, SpecialUse};
use postroad_model::placement::Placement;

/// Of folders without a use that the server knows, no more than these are looked into.
const OTHERS_MAX: usize = 30;
/// Their turn.
const OTHERS: u8 = 3;

/// One folder that is looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name on the wire.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What a copy in it is.
    pub means: Placement,
    /// Most mail goes here or there: while it cannot be looked into, what was not found is not missing.
    pub needed: Needed,
}

/// Whether a mailbox can be judged without a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    /// The inbox and the folder that the server files spam into.
    Yes,
    /// Every other one.
    No,
}

/// The folders that are looked into, in order.
pub(crate) fn places(folders: &[Folder]) -> Vec<Place> {
    let mut found: Vec<(u8, Place)> = Vec::new();
    for folder in folders.iter().filter(|f| f.selectable == Selectable::Yes) {
        let (turn, means) = match folder.special_use {
            Some(SpecialUse::Inbox) => (0, Placement::Inbox),
            Some(SpecialUse::Junk) => (1, Placement::Spam),
            // A second folder for spam beside the one that the server tells of.
            None if folder.suggests() == Some(SpecialUse::Junk) => (2, Placement::Spam),
            None => (OTHERS, Placement::Other),
            Some(SpecialUse::Archive | SpecialUse::Trash) => (4, Placement::Other),
            Some(SpecialUse::All) => (5, Placement::Other),
            Some(
                SpecialUse::Drafts | SpecialUse::Flagged | SpecialUse::Sent | SpecialUse::Important,
            ) => continue,
        };
        let (name, title) = (folder.name.clone(), folder.title());
        found.push((turn, Place { name, title, means, needed: Needed::No }));
    }
    // Every server has an INBOX, also one that does not list it.
    if !found.iter().any(|(turn, _)| *turn == 0) {
        let (name, title) = ("INBOX".to_owned(), "INBOX".to_owned());
        found.push((0, Place { name, title, means: Placement::Inbox, needed: Needed::No }));
    }
    found.sort_by_key(|(turn, _)| *turn);
    let mut others = 0;
    found.retain(|(turn, _)| {
        others += usize::from(*turn == OTHERS);
        *turn != OTHERS || others <= OTHERS_MAX
    });
    let mut places: Vec<Place> = found.into_iter().map(|(_, place)| place).collect();
    for means in [Placement::Inbox, Placement::Spam] {
        if let Some(first) = places.iter_mut().find(|p| p.means == means) {
            first.needed = Needed::Yes;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, special_use: Option<SpecialUse>) -> Folder {
        let selectable = if name == "[Gmail]" { Selectable::No } else { Selectable::Yes };
        Folder { name: name.into(), delimiter: Some("/".into()), special_use, selectable }
    }

    fn names(folders: &[Folder]) -> Vec<(String, Placement)> {
        places(folders).into_iter().map(|p| (p.title, p.means)).collect()
    }

    #[test]
    fn inbox_and_junk_come_first_and_what_holds_everything_last() {
        let gmail = [
            folder("[Gmail]", None),
            folder("[Gmail]/All Mail", Some(SpecialUse::All)),
            folder("[Gmail]/Drafts", Some(SpecialUse::Drafts)),
            folder("[Gmail]/Sent Mail", Some(SpecialUse::Sent)),
            folder("[Gmail]/Spam", Some(SpecialUse::Junk)),
            folder("Receipts &- co", None),
            folder("[Gmail]/Trash", Some(SpecialUse::Trash)),
            folder("INBOX", Some(SpecialUse::Inbox)),
        ];
        let expected = [
            ("INBOX", Placement::Inbox),
            ("[Gmail]/Spam", Placement::Spam),
            ("Receipts & co", Placement::Other),
            ("[Gmail]/Trash", Placement::Other),
            ("[Gmail]/All Mail", Placement::Other),
        ];
        assert_eq!(names(&gmail), expected.map(|(n, p)| (n.to_owned(), p)));
    }

    #[test]
    fn every_folder_that_is_named_for_spam_is_one() {
        let two = [folder("Junk", Some(SpecialUse::Junk)), folder("INBOX/Spamverdacht", None)];
        let expected = [("INBOX", Placement::Inbox), ("Junk", Placement::Spam)];
        let mut expected = expected.map(|(n, p)| (n.to_owned(), p)).to_vec();
        expected.push(("INBOX/Spamverdacht".into(), Placement::Spam));
        assert_eq!(names(&two), expected);
        let needed: Vec<Needed> = places(&two).iter().map(|p| p.needed).collect();
        assert_eq!(needed, [Needed::Yes, Needed::Yes, Needed::No]);
    }

    #[test]
    fn there_is_always_an_inbox_and_never_too_much() {
        assert_eq!(names(&[]), [("INBOX".to_owned(), Placement::Inbox)]);
        let many: Vec<Folder> = (0..500).map(|n| folder(&format!("f{n}"), None)).collect();
        assert_eq!(places(&many).len(), OTHERS_MAX + 1);
        let all = [many, vec![folder("Everything", Some(SpecialUse::All))]].concat();
        assert_eq!(names(&all).last().unwrap().0, "Everything", "what holds everything stays");
    }
}
