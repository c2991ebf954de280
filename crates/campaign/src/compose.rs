//! From a row to a message: the facts that `render` wants, with tokens, links and the relay's identity.
//!
//! Made once per campaign, called for each recipient by `check`, the web view and (through cli's wiring) delivery.
//! What must hold: the same row composes to the same octets, so what a message carries of the row (X-Postroad-Ref,
//! links) does not change with its copies; the envelope tag, which does, is no part of the message.

use crate::identity::{IdentityError, SendAs, identity_for};
use crate::{Error, Result, Setup};
use postroad_model::address::Mailbox;
use postroad_model::campaign::{Campaign, CampaignKind};
use postroad_model::delivery::{ContactFields, Leased, Role};
use postroad_model::message::RenderedMessage;
use postroad_model::rank::row_seed;
use postroad_model::relay::Relay;
use postroad_model::token::{DeliveryToken, LinkEffect, LinkKind, LinkToken, TokenKeys};
use postroad_model::{CampaignId, ContactId, DeliveryId, EmailAddress, ListId, Timestamp};
use postroad_render::{
    CampaignFacts, Compiled, ComposeError, Inspection, ListFacts, Locale, RecipientFacts,
};

/// Path of unsubscribe links under the public address; the token follows.
pub const UNSUBSCRIBE_PATH: &str = "/u/";

/// Path of the web view under the public address; the token follows.
pub const VIEW_PATH: &str = "/v/";

/// Path of the image that tells of an open; the token follows, then [`OPEN_SUFFIX`].
pub const OPEN_PATH: &str = "/o/";

/// What the image's path ends in: some mail programs load by the name.
pub const OPEN_SUFFIX: &str = ".gif";

/// A campaign, ready to be composed for anybody.
#[derive(Debug)]
pub struct Composer {
    compiled: Compiled,
    facts: CampaignFacts,
    keys: TokenKeys,
    campaign: CampaignId,
    lists: Vec<ListId>,
    effect: LinkEffect,
    /// What the image's token is appended to, where opens are counted.
    open_base: Option<String>,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The row; zeros where there is none yet.
    pub delivery: DeliveryId,
    /// The contact, if the address is one.
    pub contact: Option<ContactId>,
    /// What the row is for: links of seeds and tests change nothing.
    pub role: Role,
    /// The address.
    pub address: &'a EmailAddress,
    /// Name and attributes.
    pub fields: &'a ContactFields,
    /// The row's rank.
    pub rank: i64,
    /// The Date field.
    pub date: Timestamp,
}

impl<'a> Recipient<'a> {
    /// A leased row, with the Date that it is bound to or `now`.
    #[must_use]
    pub fn leased(row: &'a Leased, now: Timestamp) -> Self {
        Self {
            delivery: row.id,
            contact: row.contact,
            role: row.role,
            address: &row.address,
            fields: &row.fields,
            rank: row.rank,
            date: row.bound.as_ref().map_or(now, |b| b.date),
        }
    }
}

/// The tokens of one message.
struct Tokens {
    unsubscribe: String,
    view: String,
    open_url: Option<String>,
    reference: String,
}

impl Composer {
    /// Compiles a campaign's content.
    ///
    /// # Errors
    /// `Template` with all faults.
    pub fn new(campaign: &Campaign, setup: &Setup, keys: &TokenKeys) -> Result<Self> {
        let settings = &campaign.settings;
        let compiled = Compiled::compile(&settings.content).map_err(Error::Template)?;
        let from_domain = settings.from.address.domain();
        let domain = setup.domain_of(from_domain);
        let mailto = domain.and_then(|d| d.unsubscribe_mailto.as_deref());
        let facts = CampaignFacts {
            name: campaign.name.clone(),
            from: settings.from.clone(),
            reply_to: settings.reply_to.clone(),
            list: settings.lists.first().map(|name| ListFacts {
                name: name.clone(),
                label: name.clone(),
                domain: domain.map_or_else(|| from_domain.clone(), |d| d.name.clone()),
            }),
            postal_address: domain.and_then(|d| d.postal_address.clone()),
            unsubscribe_base: setup.public_url.as_ref().map(|u| format!("{u}{UNSUBSCRIBE_PATH}")),
            view_base: setup.public_url.as_ref().map(|u| format!("{u}{VIEW_PATH}")),
            unsubscribe_mailto: mailto.and_then(|m| EmailAddress::parse(m).ok()),
            sender_id: domain.map(|d| d.name.as_str().to_owned()),
            message_id_domain: from_domain.clone(),
            locale: Locale::parse(&settings.locale).unwrap_or_default(),
            zone: settings.zone.clone(),
        };
        let effect = match campaign.kind {
            CampaignKind::Bulk => LinkEffect::Real,
            CampaignKind::Test => LinkEffect::Test,
        };
        Ok(Self {
            compiled,
            facts,
            keys: keys.clone(),
            campaign: campaign.id,
            lists: campaign.list_ids.clone(),
            effect,
            open_base: setup
                .public_url
                .as_ref()
                .filter(|_| settings.track_opens && setup.has_https())
                .map(|u| format!("{u}{OPEN_PATH}")),
        })
    }

    /// The compiled content.
    #[must_use]
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// What all messages share.
    #[must_use]
    pub fn facts(&self) -> &CampaignFacts {
        &self.facts
    }

    /// As whom a relay sends this campaign.
    ///
    /// # Errors
    /// When it cannot.
    pub fn send_as(
        &self,
        relay: &Relay,
        setup: &Setup,
    ) -> std::result::Result<SendAs, IdentityError> {
        identity_for(relay, &self.facts.from, self.facts.reply_to.as_ref(), setup)
    }

    /// MAIL FROM of a copy of a row.
    #[must_use]
    pub fn mail_from(&self, send_as: &SendAs, delivery: DeliveryId, copy_no: i64) -> EmailAddress {
        let token = DeliveryToken { delivery, campaign: self.campaign, copy_no };
        send_as.mail_from(&self.keys, &token)
    }

    /// The keyed envelope identifier of a copy of a row: the same tag that MAIL FROM carries where it may.
    #[must_use]
    pub fn envelope_id(&self, delivery: DeliveryId, copy_no: i64) -> String {
        self.keys.envelope(&DeliveryToken { delivery, campaign: self.campaign, copy_no })
    }

    /// One recipient's message, as `send_as.forced` shows it.
    ///
    /// # Errors
    /// What the template asks for and the recipient lacks.
    pub fn compose(
        &self,
        to: &Recipient<'_>,
        forced: Option<&Mailbox>,
    ) -> std::result::Result<RenderedMessage, ComposeError> {
        let tokens = self.tokens(to);
        postroad_render::compose(&self.compiled, &self.facts, &facts(to, &tokens, forced))
    }

    /// The web view of one recipient's message: a whole HTML page.
    ///
    /// # Errors
    /// As [`Self::compose`].
    pub fn page(&self, to: &Recipient<'_>) -> std::result::Result<String, ComposeError> {
        let tokens = self.tokens(to);
        postroad_render::render_html(&self.compiled, &self.facts, &facts(to, &tokens, None))
    }

    /// One recipient's message, looked at.
    ///
    /// # Errors
    /// As [`Self::compose`].
    pub fn inspect(&self, to: &Recipient<'_>) -> std::result::Result<Inspection, ComposeError> {
        let tokens = self.tokens(to);
        postroad_render::inspect(&self.compiled, &self.facts, &facts(to, &tokens, None))
    }

    fn tokens(&self, to: &Recipient<'_>) -> Tokens {
        let effect = match to.role {
            Role::Audience => self.effect,
            Role::Seed | Role::Test => LinkEffect::Test,
        };
        let link = |kind| {
            self.keys.link(&LinkToken {
                kind,
                effect,
                campaign: self.campaign,
                contact: to.contact.unwrap_or(ContactId(0)),
                delivery: to.delivery,
                lists: self.lists.clone(),
            })
        };
        // Nothing but the row: the image is in each message, and a short name is less to carry.
        let opened = LinkToken {
            kind: LinkKind::Open,
            effect,
            campaign: self.campaign,
            contact: ContactId(0),
            delivery: to.delivery,
            lists: Vec::new(),
        };
        let open_url = |base: &String| format!("{base}{}{OPEN_SUFFIX}", self.keys.link(&opened));
        let row = DeliveryToken { delivery: to.delivery, campaign: self.campaign, copy_no: 0 };
        Tokens {
            unsubscribe: link(LinkKind::Unsubscribe),
            view: link(LinkKind::View),
            open_url: self.open_base.as_ref().map(open_url),
            reference: self.keys.reference(&row),
        }
    }
}

fn facts<'a>(
    to: &Recipient<'a>,
    tokens: &'a Tokens,
    forced: Option<&'a Mailbox>,
) -> RecipientFacts<'a> {
    RecipientFacts {
        address: to.address,
        name: to.fields.name.as_deref(),
        attributes: &to.fields.attributes,
        seed: row_seed(to.delivery.id, to.rank),
        date: to.date,
        unsubscribe_token: &tokens.unsubscribe,
        view_token: &tokens.view,
        open_url: tokens.open_url.as_deref(),
        reference: &tokens.reference,
        forced_from: forced,
    }
}
