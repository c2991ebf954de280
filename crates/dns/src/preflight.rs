//! Whether what receivers look for is published of a sending domain: SPF, our DKIM keys, DMARC, a mail host.
//!
//! Called by `serve` each hour and by `doctor`, where the configuration names DNS servers. Google, Yahoo and Microsoft refuse or
//! file to spam what fails here. RFC 7208 section 4.5 (one SPF record), RFC 6376 section 3.6 (key records), RFC 7489 section
//! 6.6.3 (where DMARC records are found), RFC 5321 section 5.1 and RFC 7505 (mail hosts). It does not evaluate SPF: whether the
//! record covers a relay, only the relay's operator knows.

use crate::{Dns, Error};
use postroad_model::Domain;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The envelope domain has one SPF record.
    Spf,
    /// Every configured key is published as it is.
    Dkim,
    /// The From domain, or one above it, has a DMARC record.
    Dmarc,
    /// What bounces and answers go to has a mail host.
    Mx,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub check: Check,
    /// Whether all is well.
    pub passed: bool,
    /// What was found, and what to do where it is not well.
    pub said: String,
}

/// What should be published.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The domain of From.
    pub domain: &'a Domain,
    /// The domain of the envelope sender, where it is another one.
    pub bounce_domain: Option<&'a Domain>,
    /// Name and value of the record of each key.
    pub keys: Vec<(String, String)>,
}

impl Dns {
    /// Looks at a sending domain. Without keys nothing is said of DKIM: the relay signs.
    ///
    /// # Errors
    /// `Lookup` when a server gave no sure answer: then nothing is known.
    pub async fn preflight(&self, expected: &Expected<'_>) -> Result<Vec<Checked>, Error> {
        let envelope = expected.bounce_domain.unwrap_or(expected.domain);
        let mut all = vec![self.spf(envelope).await?];
        if !expected.keys.is_empty() {
            all.push(self.dkim(&expected.keys).await?);
        }
        all.push(self.dmarc(expected.domain).await?);
        all.push(self.mail_host(envelope).await?);
        Ok(all)
    }

    async fn spf(&self, domain: &Domain) -> Result<Checked, Error> {
        let texts = self.texts(domain.as_str()).await?;
        let records = texts.iter().filter(|t| is_record(t, "v=spf1", ' ')).count();
        let said = match records {
            1 => format!("{domain} has an SPF record"),
            0 => format!(
                "{domain} has no SPF record; publish the one that your relays' operators name"
            ),
            n => format!(
                "{domain} has {n} SPF records, which receivers take for none; make one of them"
            ),
        };
        Ok(Checked { check: Check::Spf, passed: records == 1, said })
    }

    async fn dkim(&self, keys: &[(String, String)]) -> Result<Checked, Error> {
        let mut wrong = Vec::new();
        for (name, value) in keys {
            let texts = self.texts(name).await?;
            let published: Vec<_> = texts.iter().filter_map(|t| public_key(t)).collect();
            match published.as_slice() {
                [] => wrong.push(format!("{name} is not published")),
                [key] if Some(key) == public_key(value).as_ref() => {}
                [_] => wrong.push(format!("{name} holds another key than we sign with")),
                more => wrong.push(format!("{name} holds {} records instead of one", more.len())),
            }
        }
        let said = if wrong.is_empty() {
            "our keys are published".to_owned()
        } else {
            format!("{}; `postroad dkim record` prints what to publish", wrong.join(", "))
        };
        Ok(Checked { check: Check::Dkim, passed: wrong.is_empty(), said })
    }

    /// Up to the domain above all others that may have one: what is registered is not known here, and a top-level domain has none.
    async fn dmarc(&self, domain: &Domain) -> Result<Checked, Error> {
        let mut above = domain.as_str();
        while above.contains('.') {
            let texts = self.texts(&format!("_dmarc.{above}")).await?;
            if texts.iter().filter(|t| is_record(t, "v=DMARC1", ';')).count() == 1 {
                let said = format!("_dmarc.{above} has a DMARC record");
                return Ok(Checked { check: Check::Dmarc, passed: true, said });
            }
            above = above.split_once('.').map_or("", |(_, rest)| rest);
        }
        let said = format!(
            "{domain} has no DMARC record; begin with _dmarc.{domain} TXT \"v=DMARC1; p=none\""
        );
        Ok(Checked { check: Check::Dmarc, passed: false, said })
    }

    async fn mail_host(&self, domain: &Domain) -> Result<Checked, Error> {
        let hosts = self.mail_hosts(domain.as_str()).await?;
        let best = hosts.iter().find(|host| *host != ".");
        let said = match best {
            Some(host) => format!("mail for {domain} goes to {host}"),
            None => format!(
                "{domain} has no MX record: bounces and answers to it are lost, and some refuse its mail"
            ),
        };
        Ok(Checked { check: Check::Mx, passed: best.is_some(), said })
    }
}

/// A record that begins with this tag, alone or before the separator.
fn is_record(text: &str, tag: &str, separator: char) -> bool {
    let head = text.split(separator).next().unwrap_or_default();
    head.trim().eq_ignore_ascii_case(tag)
}

/// The `p=` of a key record, without blanks; `None` when it is no key record.
fn public_key(text: &str) -> Option<String> {
    let mut tags = text.split(';').filter_map(|tag| tag.split_once('='));
    let (_, value) = tags.find(|(name, _)| name.trim() == "p")?;
    Some(value.split_whitespace().collect())
}
