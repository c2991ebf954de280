//! `explain`: one recipient's whole story in a campaign.

use super::contact::parse_address;
use crate::app::{App, Runs};
use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::output::printable;
use anyhow::Result;

pub async fn run(app: &App, args: &ExplainArgs) -> Result<Exit> {
    let address = parse_address(&args.address)?;
    let opened = app.open(Runs::Briefly).await?;
    let story = postroad_campaign::explain(&opened.store, &address, &args.campaign).await?;
    app.output.show(&story, |story| {
        let head =
            format!("{} in campaign {} ({})", story.address, story.campaign, story.campaign_state);
        let words: Vec<String> =
            story.words.iter().map(|w| format!("  {}", printable(w))).collect();
        format!("{head}\n{}\n", words.join("\n"))
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}
