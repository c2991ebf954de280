//! `[[domain]]` and `[[pool]]`: as whom mail is sent, and which relays may serve the same mail.
//!
//! Key files are only named here; `dkim` reads them, so that nothing else sees a private key.

use crate::problem::suggest;
use crate::secret;
use crate::section::Section;
use postroad_model::relay::{DkimKeyRef, Pool, SendingDomain};
use postroad_model::{Domain, EmailAddress};

/// Reads all `[[domain]]` tables.
pub(crate) fn domains(root: &Section<'_>) -> Vec<SendingDomain> {
    let mut list: Vec<SendingDomain> = Vec::new();
    for mut section in root.tables("domain", "domain") {
        let name = section.word("name");
        if !section.has("name") {
            section.missing("name", "the domain in From, e.g. name = \"news.example.com\"");
        }
        if let Some(name) = &name {
            section.named(&name.value);
        }
        let name = parse_domain(&section, "name", name);
        let bounce_domain = section.word("bounce_domain");
        let domain = SendingDomain {
            dkim: dkim_keys(&section),
            bounce_domain: parse_domain(&section, "bounce_domain", bounce_domain),
            unsubscribe_mailto: mailto(&section),
            postal_address: section.word("postal_address").map(|t| t.value),
            name: match name {
                Some(name) => name,
                None => {
                    section.finish();
                    continue;
                }
            },
        };
        section.finish();
        if list.iter().any(|d| d.name == domain.name) {
            let message = format!("a second domain {:?}", domain.name.as_str());
            section.error(section.place("name"), "name", message);
        }
        list.push(domain);
    }
    list
}

fn parse_domain(
    section: &Section<'_>,
    key: &str,
    text: Option<crate::section::At<String>>,
) -> Option<Domain> {
    let text = text?;
    Domain::parse(&text.value).map_err(|why| section.error(text.at, key, why.to_string())).ok()
}

fn mailto(section: &Section<'_>) -> Option<String> {
    let text = section.word("unsubscribe_mailto")?;
    let address = text.value.strip_prefix("mailto:").unwrap_or(&text.value);
    match EmailAddress::parse(address) {
        Ok(address) => Some(address.to_string()),
        Err(why) => {
            section.error(text.at, "unsubscribe_mailto", why.to_string());
            None
        }
    }
}

fn dkim_keys(section: &Section<'_>) -> Vec<DkimKeyRef> {
    let mut keys: Vec<DkimKeyRef> = Vec::new();
    for entry in section.tables("dkim", "domain.dkim") {
        let (selector, key_file) = (entry.word("selector"), entry.word("key_file"));
        for key in ["selector", "key_file"] {
            if !entry.has(key) {
                entry.missing(key, "write { selector = \"s1\", key_file = \"keys/s1.pem\" }");
            }
        }
        entry.finish();
        let (Some(selector), Some(file)) = (selector, key_file) else { continue };
        let label_ok = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if !selector.value.split('.').all(label_ok) {
            entry.error(selector.at, "selector", "is no DNS label, e.g. \"s1\"");
        }
        if keys.iter().any(|k| k.selector.eq_ignore_ascii_case(&selector.value)) {
            entry.error(selector.at, "selector", format!("{:?} stands twice", selector.value));
        }
        let path = secret::resolve(section, &file.value);
        if !path.is_file() {
            entry.warn(
                file.at,
                "key_file",
                format!(
                    "{} does not exist; `postroad dkim generate` makes it, until then mail is not signed",
                    path.display()
                ),
            );
        }
        keys.push(DkimKeyRef { selector: selector.value, key_file: path });
    }
    keys
}

/// Reads all `[[pool]]` tables against the names of the relays.
pub(crate) fn pools(root: &Section<'_>, relays: &[String]) -> Vec<Pool> {
    let mut list: Vec<Pool> = Vec::new();
    for mut section in root.tables("pool", "pool") {
        let name = section.name("name");
        if let Some(name) = &name {
            section.named(&name.value);
            if list.iter().any(|p| p.name == name.value) {
                section.error(name.at, "name", format!("a second pool named {:?}", name.value));
            }
        } else if !section.has("name") {
            section.missing("name", "campaigns name their pool");
        }
        let members = section.strings("relays").unwrap_or_default();
        if !section.has("relays") {
            section.missing("relays", "the names of its relays, relays = [\"…\"]");
        } else if members.is_empty() {
            section.error(section.place("relays"), "relays", "names no relay");
        }
        section.finish();
        let mut pool = Pool { name: name.map(|n| n.value).unwrap_or_default(), relays: Vec::new() };
        for member in members {
            if pool.relays.contains(&member.value) {
                section.error(member.at, "relays", format!("{:?} stands twice", member.value));
            } else if !relays.contains(&member.value) {
                let near = suggest(&member.value, relays.iter().map(String::as_str));
                section.error(member.at, "relays", format!("no relay {:?}{near}", member.value));
            }
            pool.relays.push(member.value);
        }
        list.push(pool);
    }
    for name in relays {
        if !list.iter().any(|p| p.relays.contains(name)) {
            root.ctx.warn(0, &format!("relay[{name}]"), "is in no pool, so no campaign uses it");
        }
    }
    list
}
