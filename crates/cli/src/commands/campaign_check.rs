//! `campaign check`: everything that can be found out before anybody gets anything.

use super::campaign_spec;
use crate::app::{App, Runs};
use crate::args::CampaignArgs;
use crate::exit::Exit;
use crate::output::{Table, printable};
use anyhow::Result;
use postroad_campaign::{CheckReport, Finding, check};
use std::collections::BTreeMap;

pub async fn run(app: &App, args: &CampaignArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let new = campaign_spec::load(&opened, &args.name, &args.spec)?;
    opened.register(app.now()).await?;
    let now = app.now();
    let report = check(&opened.store, &opened.setup, (&new.name, &new.settings), now, now).await?;
    let passes = report.passes() && report.failed == 0;
    app.output.show(&report, text)?;
    opened.close().await;
    Ok(if passes { Exit::Ok } else { Exit::Data })
}

fn text(report: &CheckReport) -> String {
    let mut text = format!(
        "Campaign {}: {} people{}\n",
        report.campaign,
        report.audience,
        left_out(&report.left_out)
    );
    if let Some((least, most)) = report.size_bytes {
        text.push_str(&format!(
            "{} messages composed, from {least} to {most} octets each\n",
            report.composed
        ));
    }
    if !report.identities.is_empty() {
        let mut table = Table::new(&["relay", "from", "reply-to", "mail from", "signed by"]);
        for i in &report.identities {
            table.row([
                i.relay.clone(),
                i.from.clone(),
                i.reply_to.clone().unwrap_or_else(|| "-".into()),
                i.mail_from.clone(),
                i.signed_by.into(),
            ]);
        }
        text.push_str(&format!("\n{table}"));
    }
    if !report.links.is_empty() {
        text.push_str("\nLinks of the first message:\n");
        report.links.iter().for_each(|l| text.push_str(&format!("  {}\n", printable(l))));
    }
    if report.failed > 0 {
        text.push_str(&format!("\n{} messages cannot be composed:\n", report.failed));
        for f in &report.failures {
            text.push_str(&format!("  {}: {}\n", printable(&f.address), printable(&f.reason)));
        }
    }
    if let Some(forecast) = &report.forecast {
        text.push_str(&format!("\n{forecast}\n"));
    }
    text.push_str(&findings(&report.findings));
    text.push_str(if report.passes() && report.failed == 0 {
        "\nIt can be scheduled\n"
    } else {
        "\nIt cannot be scheduled as it is\n"
    });
    text
}

/// `; left out: 3 suppressed, 2 unsubscribed`.
pub fn left_out<K: std::fmt::Display>(reasons: &BTreeMap<K, i64>) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = reasons.iter().map(|(why, n)| format!("{n} {why}")).collect();
    format!("; left out: {}", parts.join(", "))
}

/// Findings, one per line.
pub fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = findings.iter().map(|f| format!("  {f}\n")).collect();
    format!("\nFindings:\n{}", lines.concat())
}
