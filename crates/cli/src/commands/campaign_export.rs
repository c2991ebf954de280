//! `campaign export`: each recipient with its state and the relay's last words, streamed.

use super::campaign_steer::states;
use crate::app::{App, Runs};
use crate::args::CampaignExportArgs;
use crate::exit::Exit;
use crate::output::lines;
use anyhow::Result;
use postroad_campaign::{ExportLine, Exporter};
use std::io::Write as _;

pub async fn run(app: &App, args: &CampaignExportArgs) -> Result<Exit> {
    let states = states(&args.states)?;
    let opened = app.open(Runs::Briefly).await?;
    let mut exporter = Exporter::open(&opened.store, &args.name, &states).await?;
    if !app.output.is_json() {
        app.output.data(&format!("{}\r\n", ExportLine::HEADER.join(",")))?;
    }
    loop {
        let page = exporter.next_page().await?;
        if page.is_empty() {
            break;
        }
        let mut out = lines();
        for line in &page {
            if app.output.is_json() {
                serde_json::to_writer(&mut out, line)?;
                out.write_all(b"\n")?;
            } else {
                out.write_all(csv(line).as_bytes())?;
            }
        }
        out.flush()?;
    }
    opened.close().await;
    Ok(Exit::Ok)
}

/// One record (RFC 4180).
fn csv(line: &ExportLine) -> String {
    let code = line.code.map(|c| c.to_string()).unwrap_or_default();
    let fields =
        [&line.address, line.state, &line.relay, &code, &line.enhanced, &line.reply, &line.at];
    let fields: Vec<String> = fields.iter().map(|f| field(f)).collect();
    format!("{}\r\n", fields.join(","))
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_commas_or_marks_is_quoted() {
        let check = |text: &str, csv: &str| assert_eq!(field(text), csv);
        check("ok", "ok");
        check("no, thanks", "\"no, thanks\"");
        check("say \"no\"", "\"say \"\"no\"\"\"");
    }
}
