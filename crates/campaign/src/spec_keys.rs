//! The keys of campaign.toml, and which of them a misspelt one stands for.
//!
//! Called by `spec` for its messages. It reads no file and knows no value.

/// Keys of the file, for hints.
pub(crate) const KEYS: [&str; 20] = [
    "lists",
    "exclude",
    "filter",
    "from",
    "reply_to",
    "subject",
    "preheader",
    "template",
    "text",
    "attachments",
    "pool",
    "window",
    "zone",
    "locale",
    "latest_start",
    "expires",
    "seeds",
    "on_unknown",
    "canary",
    "track_opens",
];

/// The key that was meant, if one is near.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let synonyms =
        [("list", "lists"), ("expires_at", "expires"), ("body", "template"), ("timezone", "zone")];
    if let Some((_, near)) = synonyms.iter().find(|(k, _)| *k == key) {
        return Some(near);
    }
    KEYS.into_iter()
        .map(|k| (strsim::damerau_levenshtein(&key, k), k))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, k)| k)
}
