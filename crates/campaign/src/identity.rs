//! As whom a message goes through a relay: From, Reply-To, MAIL FROM; and whether that can be in alignment.
//!
//! Pure. Called by `check`, `schedule` and `test`, and by cli's wiring of `delivery` for each row. Alignment is
//! DMARC's (RFC 7489 section 3.1): a From at somebody else's domain fails there whatever we sign. What must hold:
//! a relay that sends as itself never shows the campaign's From, which becomes Reply-To; MAIL FROM carries the
//! envelope tag only where bounces for its domain come back to us.

use crate::Setup;
use postroad_model::address::Mailbox;
use postroad_model::relay::{Identity, Relay, Senders};
use postroad_model::token::{DeliveryToken, TokenKeys};
use postroad_model::{Domain, EmailAddress, MailboxProvider};

/// Why a relay cannot send for a campaign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The operator of the relay lets it send as other domains only.
    #[error(
        "relay {relay} may send as {may}, not as {from}; change the campaign's from, or the relay's send_as"
    )]
    NotAllowed {
        /// The relay.
        relay: String,
        /// The campaign's From address.
        from: EmailAddress,
        /// What it may send as.
        may: String,
    },
    /// A From at a mailbox provider through somebody else's relay.
    #[error(
        "relay {relay} cannot send as {from}: {domain} belongs to a mailbox provider, and receivers refuse such mail \
         from other servers (DMARC); use a From at a domain of yours, or a relay of that provider"
    )]
    Foreign {
        /// The relay.
        relay: String,
        /// The campaign's From address.
        from: EmailAddress,
        /// Its domain.
        domain: Domain,
    },
}

/// As whom one relay sends a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendAs {
    /// The From field.
    pub from: Mailbox,
    /// Reply-To, where there is one.
    pub reply_to: Option<Mailbox>,
    /// Set when the relay forces its own From: what `render` is told.
    pub forced: Option<Mailbox>,
    /// How MAIL FROM is made.
    pub envelope: Envelope,
}

/// How MAIL FROM is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// The same for all messages.
    Bare(EmailAddress),
    /// The envelope tag at a domain whose bounces come back to us (VERP).
    Tagged(Domain),
}

impl SendAs {
    /// MAIL FROM of one delivery.
    #[must_use]
    pub fn mail_from(&self, keys: &TokenKeys, token: &DeliveryToken) -> EmailAddress {
        match &self.envelope {
            Envelope::Bare(address) => address.clone(),
            Envelope::Tagged(domain) => {
                let tag = keys.envelope(token);
                EmailAddress::parse(&format!("{tag}@{domain}"))
                    .unwrap_or_else(|_| self.from.address.clone())
            }
        }
    }

    /// The whole identity of one delivery.
    #[must_use]
    pub fn identity(&self, keys: &TokenKeys, token: &DeliveryToken) -> Identity {
        Identity {
            from: self.from.clone(),
            reply_to: self.reply_to.clone(),
            mail_from: self.mail_from(keys, token),
        }
    }
}

/// As whom a relay sends mail of this From and Reply-To.
///
/// # Errors
/// When it may not, or when the result could not be in alignment.
pub fn identity_for(
    relay: &Relay,
    from: &Mailbox,
    reply_to: Option<&Mailbox>,
    setup: &Setup,
) -> Result<SendAs, IdentityError> {
    let may_not = |may: String| IdentityError::NotAllowed {
        relay: relay.name.clone(),
        from: from.address.clone(),
        may,
    };
    match &relay.senders {
        Senders::Itself(own) => {
            let reply = reply_to.or_else(|| (from.address != own.address).then_some(from));
            return Ok(SendAs {
                from: own.clone(),
                reply_to: reply.cloned(),
                forced: Some(own.clone()),
                envelope: Envelope::Bare(own.address.clone()),
            });
        }
        Senders::Domains(domains) => {
            if !domains.iter().any(|d| from.address.domain().is_within(d)) {
                let names: Vec<&str> = domains.iter().map(Domain::as_str).collect();
                return Err(may_not(names.join(", ")));
            }
        }
        Senders::Any => {}
    }
    let domain = from.address.domain();
    let foreign = MailboxProvider::of_domain(domain) != MailboxProvider::Other;
    if foreign && !is_local(relay) {
        return Err(IdentityError::Foreign {
            relay: relay.name.clone(),
            from: from.address.clone(),
            domain: domain.clone(),
        });
    }
    let bounce = setup.domain_of(domain).and_then(|d| d.bounce_domain.clone());
    let envelope = match bounce {
        Some(bounce) if !relay.habits.forces_envelope => Envelope::Tagged(bounce),
        Some(_) | None => Envelope::Bare(from.address.clone()),
    };
    Ok(SendAs { from: from.clone(), reply_to: reply_to.cloned(), forced: None, envelope })
}

/// Nothing leaves this machine through it: a sink, a test server.
fn is_local(relay: &Relay) -> bool {
    let host = relay.endpoint.host.as_str();
    relay.profile == "sink"
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// How a message is authenticated as its From, as far as the configuration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// A key of ours is aligned with From.
    Ours,
    /// The relay's operator signs as the account's own domain.
    Operators,
    /// Nobody signs: DMARC rests on SPF alone, if at all.
    Nobody,
}

/// Who signs mail of this identity.
#[must_use]
pub fn signing(relay: &Relay, send_as: &SendAs, setup: &Setup) -> Signing {
    let keyed = setup.domain_of(send_as.from.address.domain()).is_some_and(|d| !d.dkim.is_empty());
    if keyed {
        Signing::Ours
    } else if relay.habits.signs || send_as.forced.is_some() {
        Signing::Operators
    } else {
        Signing::Nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_testkit::builders;
    use std::time::Duration;

    fn setup() -> Setup {
        Setup {
            relays: Vec::new(),
            pools: Vec::new(),
            domains: vec![builders::sending_domain()],
            seeds: Vec::new(),
            public_url: None,
            expire_after: Duration::from_secs(3600),
            unknown_wait: Duration::from_secs(1800),
            min_inbox: None,
        }
    }

    fn remote(senders: Senders) -> Relay {
        let mut relay = Relay { senders, profile: "ses".into(), ..builders::relay("r") };
        relay.endpoint.host = "smtp.example.net".into();
        relay
    }

    fn check(relay: &Relay, from: &str, expected: &str) {
        let from = builders::mailbox(from);
        let got = match identity_for(relay, &from, None, &setup()) {
            Ok(s) => {
                let reply = s.reply_to.map_or("-".into(), |r| r.address.to_string());
                let envelope = match s.envelope {
                    Envelope::Bare(a) => a.to_string(),
                    Envelope::Tagged(d) => format!("*@{d}"),
                };
                format!("{} reply {reply} envelope {envelope}", s.from.address)
            }
            Err(IdentityError::NotAllowed { may, .. }) => format!("may {may}"),
            Err(IdentityError::Foreign { domain, .. }) => format!("foreign {domain}"),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn a_relay_sends_as_itself_as_its_domains_or_not_at_all() {
        let own = builders::mailbox("Anna <anna@gmail.com>");
        let gmail = remote(Senders::Itself(own));
        let as_itself = "anna@gmail.com reply news@example.com envelope anna@gmail.com";
        check(&gmail, "news@example.com", as_itself);
        check(&gmail, "anna@gmail.com", "anna@gmail.com reply - envelope anna@gmail.com");
        let ses = remote(Senders::Domains(vec![builders::domain("example.com")]));
        let tagged = "a@news.example.com reply - envelope *@b.news.example.com";
        check(&ses, "a@news.example.com", tagged);
        check(&ses, "a@example.com", "a@example.com reply - envelope a@example.com");
        check(&ses, "a@example.org", "may example.com");
        check(&remote(Senders::Any), "a@gmail.com", "foreign gmail.com");
        let sink = builders::relay("sink");
        check(&sink, "a@gmail.com", "a@gmail.com reply - envelope a@gmail.com");
    }

    #[test]
    fn an_operator_that_forces_the_envelope_gets_the_bare_address() {
        let mut relay = remote(Senders::Any);
        relay.habits.forces_envelope = true;
        let bare = "a@news.example.com reply - envelope a@news.example.com";
        check(&relay, "a@news.example.com", bare);
    }

    #[test]
    fn the_envelope_tag_leads_back_to_the_delivery() {
        let from = builders::mailbox("a@news.example.com");
        let send_as = identity_for(&remote(Senders::Any), &from, None, &setup()).unwrap();
        let token = DeliveryToken {
            delivery: postroad_model::DeliveryId { bucket: 202_611, id: 5 },
            campaign: postroad_model::CampaignId(3),
            copy_no: 1,
        };
        let keys = builders::token_keys();
        let mail_from = send_as.mail_from(&keys, &token);
        assert_eq!(keys.read_envelope(mail_from.local()), Ok(token));
    }
}
