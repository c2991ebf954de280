//! `bounce classify|explain|process`: mails from files and pipes.

use super::bounce_files::{self, Classified, Unreadable};
use super::bounce_list;
use crate::app::{App, Runs};
use crate::args::{BounceCommand, BounceExplainArgs, ClassifyArgs, ProcessArgs};
use crate::exit::{Exit, Fault};
use crate::output::{lines as out_lines, printable};
use crate::wiring;
use anyhow::Result;
use postroad_bounce::{Action, Finding, Report};
use postroad_feedback::{Done, Feedback, Incoming, Source, Taken};
use postroad_model::feedback::BouncePolicy;
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::path::Path;

pub async fn run(app: &App, command: BounceCommand) -> Result<Exit> {
    match command {
        BounceCommand::Classify(args) => classify(app, &args),
        BounceCommand::Explain(args) => explain(app, &args),
        BounceCommand::Process(args) => process(app, &args).await,
        BounceCommand::List(args) => bounce_list::list(app, &args).await,
        BounceCommand::Review(args) => bounce_list::review(app, &args).await,
    }
}

/// One line of `classify`.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<usize>,
    recipient: Option<&'a str>,
    kind: &'static str,
    status: Option<&'a str>,
    reason: &'static str,
    action: Option<&'static str>,
    diagnostic: &'a str,
    confidence: &'static str,
    rule: &'a str,
    code: Option<u16>,
    reporting_mta: Option<&'a str>,
    remote_mta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<&'static str>,
}

fn line<'a>(mail: &Classified, report: &'a Report) -> Line<'a> {
    Line {
        file: mail.path.display().to_string(),
        message: mail.number,
        recipient: report.recipient.as_deref(),
        kind: report.kind.as_str(),
        status: report.status.as_deref(),
        reason: report.reason.as_str(),
        action: report.action.map(Action::as_str),
        diagnostic: &report.diagnostic,
        confidence: report.confidence.as_str(),
        rule: &report.rule,
        code: report.code,
        reporting_mta: report.reporting_mta.as_deref(),
        remote_mta: report.remote_mta.as_deref(),
        feedback: report.feedback.map(postroad_bounce::FeedbackType::as_str),
    }
}

fn classify(app: &App, args: &ClassifyArgs) -> Result<Exit> {
    let (files, bad) = bounce_files::expand(&args.files);
    bad.iter().for_each(|b| unreadable(app, b));
    let mut out = out_lines();
    let text = !app.output.is_json();
    bounce_files::classify(&files, |mail| {
        let mail = match mail {
            Ok(mail) => mail,
            Err(bad) => {
                unreadable(app, &bad);
                return Ok(());
            }
        };
        if mail.reading.findings.contains(&Finding::Broken) {
            app.output.warn(format!("{}: {}", mail.path.display(), Finding::Broken));
        }
        for report in &mail.reading.reports {
            let line = line(&mail, report);
            if text {
                let (who, status) = (line.recipient.unwrap_or("-"), line.status.unwrap_or("-"));
                let words = format!(
                    "{}: {who} {} {status} {}: {}",
                    line.file, line.kind, line.reason, line.diagnostic
                );
                writeln!(out, "{}", printable(&words))?;
            } else {
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(Exit::Ok)
}

fn unreadable(app: &App, bad: &Unreadable) {
    app.output.warn(format!("{}: cannot be read: {}", bad.path.display(), bad.why));
}

fn explain(app: &App, args: &BounceExplainArgs) -> Result<Exit> {
    let mails = bounce_files::mails(&args.file).map_err(|bad| unreadable_fault(&bad))?;
    let mails: Vec<Classified> = mails
        .into_iter()
        .map(|mail| {
            let reading = postroad_bounce::read(&mail.bytes);
            Classified { path: mail.path, number: mail.number, reading }
        })
        .collect();
    let all: Vec<Line<'_>> =
        mails.iter().flat_map(|mail| mail.reading.reports.iter().map(|r| line(mail, r))).collect();
    app.output.show(&all, |_| explained(&mails))?;
    Ok(Exit::Ok)
}

/// The mails of a file in words.
fn explained(mails: &[Classified]) -> String {
    let policy = BouncePolicy::default();
    let mut text = String::new();
    for mail in mails {
        if mail.reading.reports.is_empty() {
            text.push_str("ordinary mail: it reports nothing about a delivery\n");
        }
        for report in &mail.reading.reports {
            text.push_str(&told(report, &policy));
        }
        let finding = |f: &Finding| text.push_str(&format!("note: {f}\n"));
        mail.reading.findings.iter().for_each(finding);
        text.push_str(&references(&mail.reading.references));
    }
    text
}

/// One report in words.
fn told(r: &Report, policy: &BouncePolicy) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "not told".into());
    let mut text = format!(
        "recipient   {}\nkind        {} ({}), confidence {}\n",
        or(&r.recipient),
        r.kind.as_str(),
        r.reason.as_str(),
        r.confidence.as_str(),
    );
    let action = r.action.map_or("not told", Action::as_str);
    text.push_str(&format!("action      {action}\nstatus      {}\n", or(&r.status)));
    if let Some(code) = r.code {
        text.push_str(&format!("reply code  {code}\n"));
    }
    text.push_str(&format!("words       {}\n", printable(&r.diagnostic)));
    for (name, mta) in [("reported by", &r.reporting_mta), ("refused by ", &r.remote_mta)] {
        if let Some(mta) = mta {
            text.push_str(&format!("{name} {}\n", printable(mta)));
        }
    }
    text.push_str(&format!("rule        {}\n", r.rule));
    for step in &r.steps {
        text.push_str(&format!("  {}\n", printable(step)));
    }
    let act = policy.act(r.reason, r.kind);
    let act = postroad_config::act_words(&act);
    text.push_str(&format!("what then   {act} (by the defaults of [bounces])\n"));
    text
}

fn references(r: &postroad_bounce::References) -> String {
    let mut text = String::new();
    for (name, values) in [
        ("sent to", &r.addressed_to),
        ("X-Postroad-Ref", &r.returned_refs),
        ("Message-ID", &r.message_ids),
        ("envelope id", &r.envelope_ids),
    ] {
        for value in values {
            text.push_str(&format!("leads back by {name}: {}\n", printable(value)));
        }
    }
    text
}

/// What `process` did.
#[derive(Debug, Default, Serialize)]
struct Processed {
    mails: u64,
    ordinary: u64,
    recorded: u64,
    seen_before: u64,
    not_ours: u64,
    forged: u64,
    noted: u64,
    /// To be brought again: the database was away, or the delivery is on the wire.
    later: u64,
}

impl Processed {
    fn add(&mut self, taken: &Taken) {
        self.mails += 1;
        self.ordinary += u64::from(taken.is_nothing());
        for outcome in &taken.outcomes {
            let slot = match outcome.done {
                Done::Recorded => &mut self.recorded,
                Done::SeenBefore => &mut self.seen_before,
                Done::NotOurs => &mut self.not_ours,
                Done::Forged => &mut self.forged,
                Done::Noted => &mut self.noted,
            };
            *slot += 1;
        }
    }

    fn words(&self) -> String {
        format!(
            "{} mails: {} reports recorded, {} recorded before, {} not ours, {} with a forged tag, {} noted, {} \
             ordinary mails, {} to be tried later",
            self.mails,
            self.recorded,
            self.seen_before,
            self.not_ours,
            self.forged,
            self.noted,
            self.ordinary,
            self.later
        )
    }
}

async fn process(app: &App, args: &ProcessArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let registry = opened.register(app.now()).await?;
    let feedback = wiring::feedback::feedback(&opened, &registry, None);
    let mut done = Processed::default();
    match (&args.maildir, &args.mbox) {
        (Some(folder), _) => maildir(app, &feedback, folder, &mut done).await?,
        (None, Some(file)) => {
            let mails = bounce_files::mails(file).map_err(|bad| unreadable_fault(&bad))?;
            let source = Source::Process(file.display().to_string());
            for mail in mails {
                take(app, &feedback, (mail.bytes, None), &source, &mut done).await?;
            }
        }
        (None, None) => {
            let mails =
                bounce_files::mails(Path::new("-")).map_err(|bad| unreadable_fault(&bad))?;
            let source = Source::Process("stdin".into());
            for mail in mails {
                let envelope_to = args.envelope_to.clone();
                take(app, &feedback, (mail.bytes, envelope_to), &source, &mut done).await?;
            }
        }
    }
    feedback.judge(app.now()).await?;
    app.output.show(&done, Processed::words)?;
    opened.close().await;
    Ok(if done.later > 0 { Exit::TryLater } else { Exit::Ok })
}

fn unreadable_fault(bad: &Unreadable) -> Fault {
    Fault::no_input(format!("{}: {}", bad.path.display(), bad.why))
}

/// Takes one mail. `None`: it is to be brought again.
async fn take(
    app: &App,
    feedback: &Feedback,
    (bytes, envelope_to): (Vec<u8>, Option<String>),
    source: &Source,
    done: &mut Processed,
) -> Result<Option<Taken>> {
    let mail = Incoming::Mail { bytes, envelope_to, source: source.clone() };
    match feedback.take(mail, app.now()).await {
        Ok(taken) => {
            done.add(&taken);
            Ok(Some(taken))
        }
        Err(error) if error.is_transient() => {
            app.output.warn(&error);
            done.later += 1;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The new mails of a Maildir. What was a report moves to `cur` as read, ordinary mail stays where it is.
async fn maildir(
    app: &App,
    feedback: &Feedback,
    folder: &Path,
    done: &mut Processed,
) -> Result<()> {
    let (new, cur) = (folder.join("new"), folder.join("cur"));
    if !new.is_dir() {
        let why = format!("{} is no Maildir: it has no folder new", folder.display());
        return Err(Fault::no_input(why).into());
    }
    let (files, bad) = bounce_files::expand(&[new]);
    bad.iter().for_each(|b| unreadable(app, b));
    let source = Source::Process(folder.display().to_string());
    for file in files {
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) => {
                unreadable(app, &Unreadable { path: file, why: error.to_string() });
                continue;
            }
        };
        let taken = take(app, feedback, (bytes, None), &source, done).await?;
        if taken.is_some_and(|t| !t.is_nothing())
            && let Some(name) = file.file_name().and_then(|n| n.to_str())
        {
            let seen = cur.join(format!("{}:2,S", name.split(":2,").next().unwrap_or(name)));
            fs::create_dir_all(&cur)?;
            fs::rename(&file, seen)?;
        }
    }
    Ok(())
}
