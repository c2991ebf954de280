//! Folders and what they are for (RFC 6154), with the names that servers without special-use give them.
//!
//! Used by placement to know inbox from spam, also in accounts whose server tells nothing. The watcher of bounces needs
//! none of it: its folders are named by the configuration.

use crate::utf7::decoded;
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

impl Folder {
    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> String {
        decoded(&self.name)
    }

    /// What its name suggests, whatever the server told.
    #[must_use]
    pub fn suggests(&self) -> Option<SpecialUse> {
        guess(&self.title(), self.delimiter.as_deref())
    }
}

/// What servers without RFC 6154 call their folders, in lower case, without the folder above. In the languages of the
/// operators that people have mailboxes with.
const NAMES: &[(SpecialUse, &[&str])] = &[
    (SpecialUse::Inbox, &["inbox"]),
    (
        SpecialUse::Junk,
        &[
            "junk",
            "junk e-mail",
            "junk email",
            "junk mail",
            "spam",
            "spam mail",
            "bulk",
            "bulk mail",
            "bulkmail",
            "spamverdacht",
            "unerwünscht",
            "unerwünschte werbung",
            "werbung",
            "courrier indésirable",
            "courriers indésirables",
            "indésirables",
            "pourriel",
            "correo no deseado",
            "correo basura",
            "no deseado",
            "correu brossa",
            "posta indesiderata",
            "indesiderata",
            "lixo eletrônico",
            "lixo electrónico",
            "lixo",
            "ongewenste e-mail",
            "ongewenst",
            "ongewenste reclame",
            "niechciane",
            "wiadomości-śmieci",
            "nevyžádaná pošta",
            "nevyžiadaná pošta",
            "levélszemét",
            "mesaje nedorite",
            "skräppost",
            "søppelpost",
            "uønsket e-post",
            "uønsket mail",
            "uønskede mails",
            "roskaposti",
            "rämpspost",
            "ανεπιθύμητα",
            "ανεπιθύμητη αλληλογραφία",
            "спам",
            "нежелательная почта",
            "небажана пошта",
            "нежелана поща",
            "önemsiz",
            "önemsiz e-posta",
            "istenmeyen",
            "gereksiz e-posta",
            "thư rác",
            "thư spam",
            "垃圾邮件",
            "垃圾郵件",
            "垃圾箱",
            "迷惑メール",
            "스팸",
            "스팸메일함",
            "정크 메일",
            "สแปม",
            "อีเมลขยะ",
            "จดหมายขยะ",
            "spam/sampah",
            "email sampah",
            "البريد العشوائي",
            "بريد غير هام",
            "דואר זבל",
        ],
    ),
    (
        SpecialUse::Sent,
        &[
            "sent",
            "sent items",
            "sent mail",
            "sent messages",
            "gesendet",
            "gesendete elemente",
            "messages envoyés",
            "éléments envoyés",
            "enviados",
            "elementos enviados",
            "posta inviata",
            "отправленные",
            "thư đã gửi",
            "送信済み",
            "已发送",
        ],
    ),
    (
        SpecialUse::Trash,
        &[
            "trash",
            "bin",
            "deleted items",
            "deleted messages",
            "papierkorb",
            "gelöschte elemente",
            "corbeille",
            "éléments supprimés",
            "papelera",
            "lixeira",
            "cestino",
            "корзина",
            "удаленные",
            "thùng rác",
            "ゴミ箱",
            "已删除邮件",
        ],
    ),
    (
        SpecialUse::Drafts,
        &[
            "drafts",
            "entwürfe",
            "brouillons",
            "borradores",
            "bozze",
            "черновики",
            "thư nháp",
            "下書き",
            "草稿",
        ],
    ),
    (SpecialUse::Archive, &["archive", "archiv", "archives", "archivo"]),
    (SpecialUse::All, &["all mail", "alle nachrichten", "tous les messages", "tất cả thư"]),
];

/// What a name for people without an attribute suggests.
pub(crate) fn guess(name: &str, delimiter: Option<&str>) -> Option<SpecialUse> {
    let last = match delimiter {
        Some(delimiter) if !delimiter.is_empty() => name.rsplit(delimiter).next().unwrap_or(name),
        Some(_) | None => name,
    };
    let last = last.to_lowercase();
    // A folder named inbox within another one is not the inbox.
    NAMES
        .iter()
        .find(|(_, names)| names.contains(&last.as_str()))
        .map(|(special_use, _)| *special_use)
        .filter(|u| *u != SpecialUse::Inbox || name.eq_ignore_ascii_case("INBOX"))
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
            assert_eq!(guess(&decoded(name), delimiter), expected, "{name}");
        };
        check("INBOX", Some("/"), Some(SpecialUse::Inbox));
        check("Work/Inbox", Some("/"), None);
        check("INBOX.Spam", Some("."), Some(SpecialUse::Junk));
        check("[Gmail]/Sent Mail", Some("/"), Some(SpecialUse::Sent));
        check("Bulk Mail", None, Some(SpecialUse::Junk));
        check("Spamming", Some("/"), None);
        check("", Some(""), None);
        check("Unerw&APw-nscht", Some("/"), Some(SpecialUse::Junk));
        check("INBOX.Th&AbA- r&AOE-c", Some("."), Some(SpecialUse::Junk));
        check("&BCEEPwQwBDw-", Some("|"), Some(SpecialUse::Junk));
        check("&j,dg0TDhMPww6w-", None, Some(SpecialUse::Junk));
    }
}
