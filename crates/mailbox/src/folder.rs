//! Folders and what they are for (RFC 6154), with the names that servers without special-use give them.
//!
//! Used by placement to know inbox from spam, also in accounts whose server tells nothing. The watcher of bounces needs
//! none of it: its folders are named by the configuration.

use async_imap::types::{Name, NameAttribute};

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// INBOX.
    Inbox,
    /// All messages.
    All,
    /// The archive.
    Archive,
    /// Drafts.
    Drafts,
    /// Starred messages.
    Flagged,
    /// Spam.
    Junk,
    /// Sent messages.
    Sent,
    /// Deleted messages.
    Trash,
    /// What the server holds to be important (RFC 8457).
    Important,
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name on the wire (modified UTF-7), as commands want it.
    pub name: String,
    /// Between a folder and those within it.
    pub delimiter: Option<String>,
    /// What it is for: told by the server, or guessed from its name.
    pub special_use: Option<SpecialUse>,
    /// Whether it can hold messages.
    pub selectable: Selectable,
}

/// Whether a folder can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selectable {
    /// It can.
    Yes,
    /// It only holds folders.
    No,
}

/// What servers without RFC 6154 call their folders, in lower case, without the folder above.
const NAMES: &[(&str, SpecialUse)] = &[
    ("inbox", SpecialUse::Inbox),
    ("junk", SpecialUse::Junk),
    ("junk e-mail", SpecialUse::Junk),
    ("junk email", SpecialUse::Junk),
    ("spam", SpecialUse::Junk),
    ("bulk", SpecialUse::Junk),
    ("bulk mail", SpecialUse::Junk),
    ("spamverdacht", SpecialUse::Junk),
    ("unerw&apw-nscht", SpecialUse::Junk),
    ("courrier ind&aok-sirable", SpecialUse::Junk),
    ("correo no deseado", SpecialUse::Junk),
    ("posta indesiderata", SpecialUse::Junk),
    ("sent", SpecialUse::Sent),
    ("sent items", SpecialUse::Sent),
    ("sent mail", SpecialUse::Sent),
    ("sent messages", SpecialUse::Sent),
    ("gesendet", SpecialUse::Sent),
    ("gesendete elemente", SpecialUse::Sent),
    ("trash", SpecialUse::Trash),
    ("deleted items", SpecialUse::Trash),
    ("deleted messages", SpecialUse::Trash),
    ("papierkorb", SpecialUse::Trash),
    ("drafts", SpecialUse::Drafts),
    ("entw&apw-rfe", SpecialUse::Drafts),
    ("archive", SpecialUse::Archive),
    ("all mail", SpecialUse::All),
];

/// What a name without an attribute suggests.
pub(crate) fn guess(name: &str, delimiter: Option<&str>) -> Option<SpecialUse> {
    let last = match delimiter {
        Some(delimiter) if !delimiter.is_empty() => name.rsplit(delimiter).next().unwrap_or(name),
        Some(_) | None => name,
    };
    let last = last.to_ascii_lowercase();
    // A folder named inbox within another one is not the inbox.
    NAMES
        .iter()
        .find(|(known, _)| *known == last)
        .map(|(_, special_use)| *special_use)
        .filter(|u| *u != SpecialUse::Inbox || name.eq_ignore_ascii_case("INBOX"))
}

/// The folder for a use: told by the server before guessed.
#[must_use]
pub fn folder_for(folders: &[Folder], special_use: SpecialUse) -> Option<&Folder> {
    folders.iter().find(|f| f.special_use == Some(special_use) && f.selectable == Selectable::Yes)
}

/// A folder as the server listed it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow")]
pub(crate) fn of_name(name: &Name) -> Folder {
    let mut special_use = None;
    let mut selectable = Selectable::Yes;
    for attribute in name.attributes() {
        let found = match attribute {
            NameAttribute::NoSelect => {
                selectable = Selectable::No;
                None
            }
            NameAttribute::All => Some(SpecialUse::All),
            NameAttribute::Archive => Some(SpecialUse::Archive),
            NameAttribute::Drafts => Some(SpecialUse::Drafts),
            NameAttribute::Flagged => Some(SpecialUse::Flagged),
            NameAttribute::Junk => Some(SpecialUse::Junk),
            NameAttribute::Sent => Some(SpecialUse::Sent),
            NameAttribute::Trash => Some(SpecialUse::Trash),
            NameAttribute::Extension(word) => match word.to_ascii_lowercase().as_str() {
                "\\important" => Some(SpecialUse::Important),
                // XLIST's words, and what RFC 5258 calls a folder that is not there.
                "\\inbox" => Some(SpecialUse::Inbox),
                "\\spam" => Some(SpecialUse::Junk),
                "\\allmail" => Some(SpecialUse::All),
                "\\starred" => Some(SpecialUse::Flagged),
                "\\nonexistent" => {
                    selectable = Selectable::No;
                    None
                }
                _ => None,
            },
            _ => None,
        };
        special_use = special_use.or(found);
    }
    Folder {
        name: name.name().to_owned(),
        delimiter: name.delimiter().map(str::to_owned),
        special_use,
        selectable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_their_names_where_the_server_tells_nothing() {
        let check = |name: &str, delimiter, expected| {
            assert_eq!(guess(name, delimiter), expected, "{name}");
        };
        check("INBOX", Some("/"), Some(SpecialUse::Inbox));
        check("Work/Inbox", Some("/"), None);
        check("INBOX.Spam", Some("."), Some(SpecialUse::Junk));
        check("[Gmail]/Sent Mail", Some("/"), Some(SpecialUse::Sent));
        check("Bulk Mail", None, Some(SpecialUse::Junk));
        check("Spamming", Some("/"), None);
        check("", Some(""), None);
    }
}
