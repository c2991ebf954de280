//! `sink`: an SMTP server for trying things, in the foreground.

use crate::app::App;
use crate::args::{Like, SinkArgs, SinkTls};
use crate::exit::{Exit, Fault};
use crate::{logging, signals, sinks};
use anyhow::{Context as _, Result};
use postroad_model::time::parse_duration;
use postroad_smtpd::{
    Behaviour, Counting, Fault as ScriptedFault, FaultAction, Greylist, JsonLines, Latency, Logins,
    MailFolder, Mechanism, Moment, Phase, Recorder, Recorders, RefuseAt, Rule, Server,
    ServerSettings, Sink, Tls, When, presets, tls_from_pem,
};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub async fn run(app: &App, args: &SinkArgs) -> Result<Exit> {
    logging::start(&app.global, None);
    let mut settings = ServerSettings::new(&args.name, sinks::wall(&app.clock));
    settings.behaviour = Arc::new(behaviour(args)?);
    settings.tls = tls(args)?;
    settings.logins = logins(args)?;
    let counting = Arc::new(Counting::default());
    let recorder = recorder(args, counting.clone())?;
    let mut sink = Sink::new(&settings, recorder);
    if let Some(folder) = &args.keep {
        sink = sink.keeping(MailFolder::open(folder, sinks::unique(&app.clock))?);
    }
    let stop = signals::stop(app.output)?;
    let server = Server::bind(args.listen, settings, Arc::new(sink)).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", args.listen)
    })?;
    let address = server.local_addr().to_string();
    app.output.show(&json!({ "listening": address, "name": args.name }), |_| {
        format!("{} listens on {address} and takes mail; Ctrl-C ends it", args.name)
    })?;
    stop.cancelled().await;
    server.shutdown().await;
    app.output.say(format!(
        "{} messages taken, {} RCPT and {} final dots seen, {} octets",
        counting.accepted(),
        counting.rcpts(),
        counting.dots(),
        counting.bytes()
    ));
    Ok(Exit::Ok)
}

fn recorder(args: &SinkArgs, counting: Arc<Counting>) -> Result<Arc<dyn Recorder>> {
    Ok(match &args.record {
        None => counting,
        Some(path) => Arc::new(Recorders(vec![Arc::new(JsonLines::open(path)?), counting])),
    })
}

fn behaviour(args: &SinkArgs) -> Result<Behaviour> {
    let mut behaviour = match (&args.behaviour, args.like) {
        (Some(path), _) => read(path)?,
        (None, Some(Like::Gmail)) => presets::gmail(args.per_day.unwrap_or(500), RefuseAt::Rcpt),
        (None, Some(Like::Ses)) => presets::ses(args.per_second, args.per_day.unwrap_or(50_000)),
        (None, None) => presets::plain(),
    };
    if args.seed != 0 {
        behaviour.seed = args.seed;
    }
    for text in &args.reply {
        behaviour.rules.push(rule(text)?);
    }
    if let Some(text) = &args.greylist {
        let delay_ms = i64::try_from(millis("greylist", text)?).unwrap_or(i64::MAX);
        behaviour.greylist = Some(Greylist { delay_ms, recipient: None, reply: None });
    }
    if let Some(text) = &args.latency {
        let min_ms = millis("latency", text)?;
        behaviour.latency.push(Latency { at: Phase::Dot, min_ms, max_ms: None });
    }
    for text in &args.drop {
        behaviour.faults.push(drop_at(text)?);
    }
    let problems = behaviour.problems();
    if problems.is_empty() {
        return Ok(behaviour);
    }
    Err(Fault::data(format!("the behaviour makes no sense:\n  {}", problems.join("\n  "))).into())
}

fn read(path: &Path) -> Result<Behaviour> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the behaviour {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| Fault::data(format!("{}: {error}", path.display())).into())
}

fn millis(flag: &str, text: &str) -> Result<u64> {
    let duration = parse_duration(text).ok_or_else(|| {
        Fault::usage(format!("--{flag} {text:?} is no duration; write 500ms, 10s or 2m"))
    })?;
    Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn rule(text: &str) -> Result<Rule> {
    let wrong = |why: &str| {
        Fault::usage(format!(
            "--reply {text:?}: {why}; write gone.example=\"550 5.1.1 No such user\""
        ))
    };
    let (who, reply) = text.split_once('=').ok_or_else(|| wrong("there is no ="))?;
    let reply = reply.trim().parse().map_err(|error| wrong(&format!("{error}")))?;
    Ok(Rule {
        at: Phase::Rcpt,
        recipient: Some(who.trim().to_owned()),
        sender: None,
        account: None,
        reply,
        when: When::default(),
    })
}

fn drop_at(text: &str) -> Result<ScriptedFault> {
    let wrong = || {
        Fault::usage(format!(
            "--drop {text:?}: write PHASE=PROBABILITY, e.g. dot=0.01; phases are connect, greeting, ehlo, auth, \
             mail, rcpt, data, body, dot, accepted"
        ))
    };
    let (phase, probability) = text.split_once('=').ok_or_else(wrong)?;
    let at: Phase = serde_json::from_value(phase.trim().into()).map_err(|_| wrong())?;
    let probability: f64 = probability.trim().parse().map_err(|_| wrong())?;
    Ok(ScriptedFault {
        at,
        moment: Moment::BeforeReply,
        action: FaultAction::Drop,
        after_bytes: 0,
        recipient: None,
        when: When { probability: Some(probability), ..When::default() },
    })
}

fn tls(args: &SinkArgs) -> Result<Tls> {
    if args.tls == SinkTls::Off {
        return Ok(Tls::Off);
    }
    let (certificate, key) = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => (read_pem(cert)?, read_pem(key)?),
        (_, _) => self_signed(args)?,
    };
    let config = tls_from_pem(&certificate, &key)?;
    Ok(match args.tls {
        SinkTls::Off => Tls::Off,
        SinkTls::Starttls => Tls::StartTls(config),
        SinkTls::Required => Tls::StartTlsRequired(config),
        SinkTls::Implicit => Tls::Implicit(config),
    })
}

fn read_pem(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn self_signed(args: &SinkArgs) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut names = vec!["localhost".to_owned(), args.listen.ip().to_string()];
    names.dedup();
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
    let certificate = made.cert.pem();
    if let Some(path) = &args.ca_out {
        std::fs::write(path, &certificate)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok((certificate.into_bytes(), made.signing_key.serialize_pem().into_bytes()))
}

fn logins(args: &SinkArgs) -> Result<Logins> {
    if args.account.is_empty() {
        return Ok(Logins::Off);
    }
    let accounts = args
        .account
        .iter()
        .map(|text| match text.split_once(':') {
            Some((user, password)) => Ok(sinks::account(user.into(), password.into())),
            None => Err(Fault::usage(format!("--account {text:?}: write USER:PASSWORD")).into()),
        })
        .collect::<Result<Vec<_>>>()?;
    let mechanisms = vec![Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5];
    Ok(Logins::Required(mechanisms, accounts))
}
