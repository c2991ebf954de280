//! The web view of a message: composed again from its row, as the recipient got it.

use postroad_campaign::{Composer, Recipient, Setup};
use postroad_model::DeliveryId;
use postroad_model::token::LinkToken;
use postroad_store::Store;
use postroad_web::View;
use std::sync::Arc;

/// Makes views from rows.
pub fn view(store: Arc<Store>, setup: Setup) -> View {
    let setup = Arc::new(setup);
    View::new(move |token: LinkToken| {
        let (store, setup) = (store.clone(), setup.clone());
        async move {
            match html(&store, &setup, token.delivery).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(delivery = %token.delivery, %error, "no web view can be made");
                    None
                }
            }
        }
    })
}

async fn html(store: &Store, setup: &Setup, id: DeliveryId) -> anyhow::Result<Option<String>> {
    let Some(row) = store.view_row(id).await? else { return Ok(None) };
    let stored = store.campaign_by_id(row.campaign).await?;
    let (setup, keys) = (setup.clone(), store.keys().clone());
    // MJML and CSS are work for a thread of its own.
    let page = tokio::task::spawn_blocking(move || -> anyhow::Result<String> {
        let composer = Composer::new(&stored.campaign, &setup, &keys)?;
        let to = Recipient {
            delivery: id,
            contact: row.contact,
            role: row.role,
            address: &row.address,
            fields: &row.fields,
            rank: row.rank,
            date: row.date,
        };
        Ok(composer.page(&to)?)
    });
    Ok(Some(page.await??))
}
