//! `demo`: a whole campaign on this machine alone, judged by what the pretended relays wrote down.
//!
//! It goes the way a user goes (configuration, keys, import, campaign, plan, schedule, run, report) through the same
//! functions as the commands. The sinks are real SMTP servers on loopback that behave as two Gmail accounts and one
//! SES account; every recipient's domain is reserved for examples. The folder is left for looking around.

mod judge;
mod people;

use crate::app::{App, Opened};
use crate::args::DemoArgs;
use crate::commands::campaign_report;
use crate::commands::contact_import::run_import;
use crate::commands::init::write_new;
use crate::exit::{Exit, Fault};
use crate::progress::Progress;
use crate::sinks::{self, Sinks};
use crate::wiring::engine;
use crate::{environment, logging, signals};
use anyhow::{Context as _, Result};
use judge::{Verdict, Witness};
use people::{GONE, GREY};
use postroad_campaign::spec::{self, Defaults};
use postroad_campaign::{Counting, Scaffold, report, scaffold, schedule};
use postroad_config::Config;
use postroad_dkim::KeyAlgorithm;
use postroad_import::{ImportOptions, Input, MissingList};
use postroad_model::campaign::{CampaignKind, OnUnknown};
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::when::Zone;
use postroad_model::{Domain, EmailAddress, Timestamp};
use postroad_render::Locale;
use postroad_smtpd::{Behaviour, Greylist, Phase, RefuseAt, Reply, Rule, When, presets};
use postroad_store::{NewCampaign, ServeWhich, StoredCampaign};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "hello";
const LIST: &str = "readers";
const GMAIL_PER_DAY: u64 = 500;
const SES_PER_SECOND: u64 = 300;
const DAY_MS: i64 = 86_400_000;
/// A demo that takes longer has a fault.
const PATIENCE_MS: i64 = 180_000;
const LOOK: Duration = Duration::from_millis(100);
/// People who ask to be left out while it runs.
const CHANGED_THEIR_MIND: u64 = 5;

/// A pretended relay.
struct Pretended {
    name: &'static str,
    user: &'static str,
    amount: u64,
    window_ms: i64,
    port: u16,
}

pub async fn run(app: &App, args: &DemoArgs) -> Result<Exit> {
    logging::start(&app.global, None);
    let began = app.now();
    let folder = empty_folder(args.folder.as_deref())?;
    let stop = signals::stop(app.output)?;
    let said = app.output;
    said.say(format!("Everything is in {}; no mail leaves this machine.", folder.display()));
    let mut sinks = Sinks::default();
    let relays = pretend(app, &folder, &mut sinks).await?;
    said.say("1. Relays: two pretended Gmail accounts (500 a day each) and one SES account (300 a second).");
    let config = configure(&folder, &relays)?;
    said.say("2. Keys and postroad.toml are written.");
    let opened = app.open_with(config).await?;
    import(app, &opened, &folder).await?;
    let stored = prepare(app, &opened, &folder).await?;
    let running = engine::start(app, &opened, ServeWhich::Only(stored.campaign.id), None).await?;
    let over = tokio::select! {
        over = until_over(app, &opened, &stored) => over,
        () = stop.cancelled() => Err(Fault::new(Exit::TryLater, "the demo was stopped").into()),
    };
    running.stop().await;
    sinks.shutdown().await;
    over?;
    let report = report(&opened.store, &opened.setup, NAME, Counting::Rows, app.now()).await?;
    #[expect(clippy::cast_precision_loss, reason = "a minute has few milliseconds")]
    let seconds = app.now().since_ms(began) as f64 / 1_000.0;
    let witnesses = witnesses(&folder, &relays);
    let verdict = judge::judge(&report, &witnesses, seconds)?;
    let fine = verdict.adds_up();
    said.show(&verdict, |v| format!("\n{}{}", campaign_report::text(&report), words(v)))?;
    said.say(next(&folder, &relays));
    opened.close().await;
    Ok(if fine { Exit::Ok } else { Exit::Software })
}

/// The folder that was named, if it is empty; else the first of demo, demo-2, ... that is not there.
fn empty_folder(named: Option<&Path>) -> Result<PathBuf> {
    let folder = match named {
        Some(folder) => {
            let taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
            if taken {
                let name = folder.display();
                return Err(Fault::data(format!("{name} is not empty; name another folder")).into());
            }
            folder.to_owned()
        }
        None => (1..)
            .map(|n| PathBuf::from(if n == 1 { "demo".to_owned() } else { format!("demo-{n}") }))
            .find(|p| p.symlink_metadata().is_err())
            .unwrap_or_default(),
    };
    for part in ["secrets", "keys", "campaigns", "sink"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
    }
    Ok(folder)
}

/// Starts the sinks.
async fn pretend(app: &App, folder: &Path, sinks: &mut Sinks) -> Result<Vec<Pretended>> {
    let gmail = || presets::gmail(GMAIL_PER_DAY, RefuseAt::Rcpt);
    let mut started = Vec::new();
    for (name, user, behaviour, amount, window_ms) in [
        ("gmail-anna", "anna@mailbox.example", gmail(), GMAIL_PER_DAY, DAY_MS),
        ("gmail-minh", "minh@mailbox.example", gmail(), GMAIL_PER_DAY, DAY_MS),
        ("ses", "AKIADEMO", presets::ses(SES_PER_SECOND, 50_000), SES_PER_SECOND, 1_000),
    ] {
        let plan = sinks::Plan {
            name: name.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            behaviour: with_people(name, behaviour),
            account: Some((user.into(), "demo".into())),
            record: record(folder, name),
            keep: None,
        };
        let server = plan.listen(&app.clock).await?;
        started.push(Pretended { name, user, amount, window_ms, port: server.local_addr().port() });
        sinks.add(server);
    }
    Ok(started)
}

fn record(folder: &Path, name: &str) -> PathBuf {
    folder.join("sink").join(format!("{name}.jsonl"))
}

/// Some recipients are gone, and one server greylists what comes from SES. (It would greylist the others too; but those
/// who were sent away stay with their relay, and the Gmail accounts have no quota left until tomorrow.)
fn with_people(name: &str, behaviour: Behaviour) -> Behaviour {
    let gone = Rule {
        at: Phase::Rcpt,
        recipient: Some(GONE.into()),
        sender: None,
        account: None,
        reply: Reply::new(
            550,
            (5, 1, 1),
            "The email account that you tried to reach does not exist",
        ),
        when: When::default(),
    };
    let greylist = Greylist { delay_ms: 1_500, recipient: Some(GREY.into()), reply: None };
    let greylist = (name == "ses").then_some(greylist);
    Behaviour { rules: vec![gone], greylist, ..behaviour }
}

/// Writes keys and configuration.
fn configure(folder: &Path, relays: &[Pretended]) -> Result<Config> {
    let key = environment::new_key().context("the system gives no random numbers")?;
    write_new(&folder.join("secrets/postroad.key"), &format!("{}\n", key.expose()), 0o600)?;
    write_new(&folder.join("secrets/relays"), "demo\n", 0o600)?;
    let domain = Domain::parse("demo.example")?;
    let dkim = postroad_dkim::generate(&domain, "s1", KeyAlgorithm::Rsa)?;
    dkim.write_to(&folder.join("keys/demo.example-s1.pem"))?;
    let mut text = String::from(CONFIG);
    for relay in relays {
        let (name, user, port) = (relay.name, relay.user, relay.port);
        let sends = if name == "ses" {
            format!(
                "profile = \"ses\"\nsend_as = [\"demo.example\"]\nlimits = [{{ amount = 50000, per = \"24h\" }}, \
                 {{ amount = {SES_PER_SECOND}, per = \"1s\" }}]"
            )
        } else {
            format!("profile = \"gmail\"\nfrom = \"Demo News <{user}>\"")
        };
        text.push_str(&format!(
            "\n[[relay]]\nname = \"{name}\"\n{sends}\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
             username = \"{user}\"\npassword = {{ file = \"secrets/relays\" }}\n"
        ));
    }
    let path = folder.join("postroad.toml");
    write_new(&path, &text, 0o644)?;
    Ok(Config::load(&path, &environment::variable)?)
}

const CONFIG: &str = r#"# The demo's configuration: three pretended relays on this machine.

[secrets]
key = { file = "secrets/postroad.key" }

[web]
public_url = "https://demo.example"

[engine]
# In real life the first retry comes after five minutes.
retry = { first = "2s", factor = 2.0, max = "30s", jitter = 0.1 }

[[domain]]
name = "demo.example"
dkim = [{ selector = "s1", key_file = "keys/demo.example-s1.pem" }]
unsubscribe_mailto = "unsubscribe@demo.example"
postal_address = "1 Example Street, Hanoi"

[[pool]]
name = "all"
relays = ["gmail-anna", "gmail-minh", "ses"]
"#;

async fn import(app: &App, opened: &Opened, folder: &Path) -> Result<()> {
    let file = folder.join("contacts.csv");
    write_new(&file, &people::csv(), 0o644)?;
    let mut rejects = file.clone().into_os_string();
    rejects.push(".rejects.csv");
    let options = ImportOptions {
        missing_list: MissingList::Create,
        rejects: Some(rejects.into()),
        ..ImportOptions::to_list(LIST)
    };
    let imported = run_import(app, opened, Input::File(file), &options).await?;
    let t = &imported.tally;
    app.output.say(format!(
        "3. Imported contacts.csv: {} rows, {} people added, {} rows merged with an earlier one, {} rejected \
         (contacts.csv.rejects.csv says why).",
        t.rows, t.added, t.merged, t.rejected
    ));
    // Some people are known to want no mail.
    let never: Vec<NewSuppression> =
        (0..20).map(|n| left_alone(n * 100 + 1, "demo", app.now())).collect::<Result<_>>()?;
    opened.store.suppress_many(&never).await?;
    Ok(())
}

fn left_alone(n: u64, origin: &str, at: Timestamp) -> Result<NewSuppression> {
    Ok(NewSuppression {
        address: EmailAddress::parse(&people::address(n))?,
        scope: SuppressionScope::All,
        reason: SuppressionReason::Manual,
        origin: origin.into(),
        at,
    })
}

/// Writes the campaign, plans and schedules it.
async fn prepare(app: &App, opened: &Opened, folder: &Path) -> Result<StoredCampaign> {
    opened.register(app.now()).await?;
    let campaign = scaffold(
        &folder.join("campaigns"),
        &Scaffold {
            name: NAME,
            template: "newsletter",
            locale: Locale::En,
            list: LIST,
            from: "Demo News <news@demo.example>",
            pool: "all",
            zone: "Asia/Ho_Chi_Minh",
        },
    )?;
    let (spec, files) = spec::read(&campaign)?;
    let defaults = Defaults { zone: Zone::utc(), on_unknown: OnUnknown::Hold };
    let settings = spec.settings(&files, &defaults)?;
    let new =
        NewCampaign { name: NAME.into(), kind: CampaignKind::Bulk, settings, seed: 20_261_121 };
    let now = app.now();
    let done = schedule(&opened.store, &opened.setup, &new, now, now).await?;
    app.output.say(format!("4. Planned: {}", done.plan.forecast));
    app.output.say(
        "5. Sending. One server greylists: those are tried again after 2 seconds (in real life, after 5 minutes).",
    );
    Ok(done.stored)
}

/// Waits for the end; on the way some people ask to be left out.
async fn until_over(app: &App, opened: &Opened, stored: &StoredCampaign) -> Result<()> {
    let id = stored.campaign.id;
    let end = app.now().plus_ms(PATIENCE_MS);
    let bar = Progress::people(app.output, 0);
    let mut asked = false;
    loop {
        let figures = campaign_report::figures(opened, id).await?;
        bar.total(u64::try_from(figures.audience).unwrap_or(0));
        bar.at(u64::try_from(figures.audience - figures.open).unwrap_or(0));
        bar.message(format!("{} accepted, {} rejected", figures.accepted, figures.rejected));
        if !asked && figures.accepted > 0 {
            asked = true;
            let left: Vec<NewSuppression> = (0..CHANGED_THEIR_MIND)
                .map(|n| left_alone(n * 900 + 2, "demo, while it ran", app.now()))
                .collect::<Result<_>>()?;
            opened.store.suppress_many(&left).await?;
        }
        if opened.store.campaign_by_id(id).await?.campaign.state.is_over() {
            bar.done();
            return Ok(());
        }
        if app.now() > end {
            let why = "the demo did not end in time; `postroad campaign report hello` there says where it stands";
            return Err(Fault::new(Exit::Software, why).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn witnesses(folder: &Path, relays: &[Pretended]) -> Vec<Witness> {
    relays
        .iter()
        .map(|r| Witness {
            relay: r.name,
            record: record(folder, r.name),
            amount: r.amount,
            window_ms: r.window_ms,
        })
        .collect()
}

fn words(v: &Verdict) -> String {
    let mut text = String::from("\nWhat the pretended relays wrote down themselves:\n");
    for s in &v.sinks {
        let window = if s.window_ms == DAY_MS { "24 hours" } else { "second" };
        text.push_str(&format!(
            "  {:<11} {} recipients offered, {} messages taken; at most {} in any {window}, {} allowed\n",
            s.relay, s.rcpts, s.accepted, s.peak, s.limit
        ));
    }
    let verdict = if v.adds_up() { "Every number adds up" } else { "THE NUMBERS DO NOT ADD UP" };
    text.push_str(&format!(
        "\n{verdict}: {} accepted here, {} taken there, {} of them twice, {} over quota; {:.1} seconds.\n",
        v.accepted, v.recorded, v.duplicates, v.over_quota, v.seconds
    ));
    text
}

fn next(folder: &Path, relays: &[Pretended]) -> String {
    let sinks: Vec<String> = relays
        .iter()
        .map(|r| {
            let like = if r.name == "ses" {
                format!("ses --per-second {SES_PER_SECOND}")
            } else {
                "gmail".into()
            };
            format!(
                "  postroad sink --listen 127.0.0.1:{} --like {like} --account {}:demo --record sink/{}.jsonl",
                r.port, r.user, r.name
            )
        })
        .collect();
    format!(
        "\nLook around:\n  cd {}\n  postroad campaign report {NAME}\n  postroad explain {} --campaign {NAME}\n  \
         postroad campaign export {NAME} --state rejected\n  postroad relay list\n\
         The pretended relays ended with the demo; for more campaigns start them again, each in a terminal of its \
         own:\n{}\n`postroad init` in an empty folder begins the real thing.",
        folder.display(),
        people::address(7),
        sinks.join("\n")
    )
}
