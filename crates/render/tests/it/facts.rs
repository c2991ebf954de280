//! A campaign and a recipient with everything set, read from a case's `context.json`.

use postroad_model::address::Mailbox;
use postroad_model::{Domain, EmailAddress, Timestamp};
use postroad_render::{CampaignFacts, Compiled, ListFacts, Locale, RecipientFacts};
use serde_json::{Map, Value};

pub struct Case {
    pub campaign: CampaignFacts,
    pub address: EmailAddress,
    pub name: Option<String>,
    pub attributes: Map<String, Value>,
    pub forced_from: Option<Mailbox>,
    pub seed: u64,
}

impl Case {
    pub fn read(context: &Value) -> Self {
        let text = |name: &str| context.get(name).and_then(Value::as_str);
        let mailbox = |name: &str| text(name).map(|t| Mailbox::parse(t).unwrap());
        let attributes =
            context.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        Self {
            campaign: campaign(
                Locale::parse(text("locale").unwrap_or("en")).unwrap(),
                mailbox("reply_to"),
            ),
            address: EmailAddress::parse(text("to").unwrap_or("an@example.org")).unwrap(),
            name: text("name").map(str::to_owned),
            attributes,
            forced_from: mailbox("forced_from"),
            seed: context.get("seed").and_then(Value::as_u64).unwrap_or(1),
        }
    }

    pub fn recipient(&self) -> RecipientFacts<'_> {
        RecipientFacts {
            address: &self.address,
            name: self.name.as_deref(),
            attributes: &self.attributes,
            seed: self.seed,
            date: Timestamp(1_796_083_200_000),
            unsubscribe_token: "mzxw6ytboi",
            view_token: "nrxxe3i",
            open_url: None,
            reference: "onxw2zj",
            forced_from: self.forced_from.as_ref(),
        }
    }

    pub fn compose(&self, compiled: &Compiled) -> Vec<u8> {
        postroad_render::compose(compiled, &self.campaign, &self.recipient()).unwrap().bytes
    }
}

pub fn campaign(locale: Locale, reply_to: Option<Mailbox>) -> CampaignFacts {
    CampaignFacts {
        name: "spring".to_owned(),
        from: Mailbox::parse("Lê Thị Hồng Ánh <anh@news.example.com>").unwrap(),
        reply_to,
        list: Some(ListFacts {
            name: "Bản tin tháng".to_owned(),
            label: "monthly".to_owned(),
            domain: Domain::parse("news.example.com").unwrap(),
        }),
        postal_address: Some("1 Phố Huế, Hà Nội".to_owned()),
        unsubscribe_base: Some("https://n.example.com/u/".to_owned()),
        view_base: Some("https://n.example.com/v/".to_owned()),
        unsubscribe_mailto: Some(EmailAddress::parse("unsub@news.example.com").unwrap()),
        sender_id: Some("examplecorp".to_owned()),
        message_id_domain: Domain::parse("news.example.com").unwrap(),
        locale,
        zone: "Asia/Ho_Chi_Minh".to_owned(),
    }
}
