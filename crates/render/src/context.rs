//! The variables of one recipient.
//!
//! Called by `compose`. Only what the templates ask for is copied (`outline`). An attribute that is null counts as
//! missing; the names below win over an attribute of the same name.
//!
//! | variable | value |
//! |---|---|
//! | any attribute's name | the attribute |
//! | `email`, `name` | the contact's |
//! | `contact.*` | all of the above |
//! | `campaign.name`, `sender.name`, `sender.email`, `list.name` | the campaign's |
//! | `postal_address` | the sending domain's |
//! | `has_web_view` | true when `{{view_url}}` has a value |

use crate::compiled::Compiled;
use crate::facts::{CampaignFacts, RecipientFacts};
use crate::helpers;
use handlebars::Context;
use serde_json::{Map, Value, json};

pub(crate) fn context(
    compiled: &Compiled,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
) -> Context {
    let uses = &compiled.uses;
    let mut root = Map::new();
    if uses.everything {
        root = recipient.attributes.clone();
        root.retain(|_, v| !v.is_null());
    } else {
        for name in &uses.roots {
            if let Some(value) = recipient.attributes.get(name).filter(|v| !v.is_null()) {
                root.insert(name.clone(), value.clone());
            }
        }
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            root.insert(name.to_owned(), value);
        }
    };
    if uses.root("email") {
        put("email", Some(recipient.address.to_string().into()));
    }
    if uses.root("name") {
        put("name", recipient.name.filter(|n| !n.trim().is_empty()).map(Value::from));
    }
    if uses.root("contact") {
        let mut contact = recipient.attributes.clone();
        contact.retain(|_, v| !v.is_null());
        contact.insert("email".to_owned(), recipient.address.to_string().into());
        if let Some(name) = recipient.name {
            contact.insert("name".to_owned(), name.into());
        }
        put("contact", Some(Value::Object(contact)));
    }
    if uses.root("campaign") {
        put("campaign", Some(json!({ "name": campaign.name })));
    }
    if uses.root("sender") {
        let from = recipient.forced_from.unwrap_or(&campaign.from);
        let email = from.address.to_string();
        let name = from.name.as_ref().or(campaign.from.name.as_ref()).unwrap_or(&email);
        put("sender", Some(json!({ "name": name, "email": email })));
    }
    if uses.root("list") {
        put("list", campaign.list.as_ref().map(|l| json!({ "name": l.name })));
    }
    if uses.root("postal_address") {
        put("postal_address", campaign.postal_address.as_deref().map(Value::from));
    }
    if uses.root("has_web_view") {
        put("has_web_view", Some(campaign.view_base.is_some().into()));
    }
    put(helpers::FACTS, Some(Value::Object(facts(campaign, recipient))));
    Context::from(Value::Object(root))
}

fn facts(campaign: &CampaignFacts, recipient: &RecipientFacts<'_>) -> Map<String, Value> {
    let view = campaign.view_base.as_ref().map(|base| format!("{base}{}", recipient.view_token));
    let fields = [
        (
            helpers::UNSUBSCRIBE,
            campaign.unsubscribe_url(recipient.unsubscribe_token).map(Value::from),
        ),
        (helpers::VIEW, view.map(Value::from)),
        (helpers::LOCALE, Some(campaign.locale.tag().into())),
        (helpers::ZONE, Some(campaign.zone.as_str().into())),
        (helpers::DATE, Some(recipient.date.0.into())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Adds the rendered preheader for `{{preheader}}`.
pub(crate) fn set_preheader(context: &mut Context, text: String) {
    if let Some(Value::Object(facts)) = context.data_mut().get_mut(helpers::FACTS) {
        facts.insert(helpers::PREHEADER.to_owned(), text.into());
    }
}
