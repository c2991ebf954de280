//! One file per command or noun, and the way from the typed command to it.

mod bounce;
mod bounce_files;
mod bounce_list;
mod campaign_check;
mod campaign_export;
mod campaign_new;
mod campaign_plan;
pub mod campaign_report;
mod campaign_run;
mod campaign_schedule;
mod campaign_spec;
mod campaign_steer;
mod campaign_test;
mod completions;
mod config;
mod contact;
pub mod contact_import;
mod db;
mod dkim;
mod doctor;
mod explain;
pub mod init;
mod list;
mod mailbox_check;
pub mod relay;
mod relay_test;
mod reload;
mod seed;
mod serve;
mod sink;
mod suppression;
mod top;

use crate::app::App;
use crate::args::{CampaignCommand, Cli, Command, ContactCommand, MailboxCommand};
use crate::exit::Exit;
use crate::output::Output;
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Threads that still block after a command has ended are not waited for longer than this.
const THREADS_END: Duration = Duration::from_secs(2);

/// Runs one command to its end.
pub fn run(cli: Cli, output: Output) -> Result<Exit> {
    let app = App::new(cli.global, output);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system gives no threads")?;
    let ended = runtime.block_on(Box::pin(dispatch(&app, cli.command)));
    runtime.shutdown_timeout(THREADS_END);
    ended
}

async fn dispatch(app: &App, command: Command) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(app, &args),
        Command::Doctor => doctor::run(app).await,
        Command::Config(command) => config::run(app, &command),
        Command::Db(command) => db::run(app, &command).await,
        Command::Contact(command) => contact(app, command).await,
        Command::List(command) => list::run(app, &command).await,
        Command::Suppression(command) => suppression::run(app, &command).await,
        Command::Campaign(command) => Box::pin(campaign(app, *command)).await,
        Command::Bounce(command) => bounce::run(app, command).await,
        Command::Explain(args) => explain::run(app, &args).await,
        Command::Relay(command) => relay::run(app, &command).await,
        Command::Mailbox(MailboxCommand::Check(args)) => mailbox_check::run(app, &args).await,
        Command::Seed(command) => seed::run(app, &command).await,
        Command::Dkim(command) => dkim::run(app, &command),
        Command::Serve(args) => Box::pin(serve::run(app, &args)).await,
        Command::Top(args) => top::run(app, &args).await,
        Command::Reload => reload::run(app).await,
        Command::Sink(args) => sink::run(app, &args).await,
        Command::Demo(args) => Box::pin(crate::demo::run(app, &args)).await,
        Command::Completions(args) => completions::run(app, &args),
    }
}

async fn contact(app: &App, command: ContactCommand) -> Result<Exit> {
    match command {
        ContactCommand::Import(args) => contact_import::import(app, args).await,
        ContactCommand::UndoImport(args) => contact_import::undo(app, &args).await,
        ContactCommand::Export(args) => contact::export(app, &args).await,
        ContactCommand::Show(args) => contact::show(app, &args).await,
        ContactCommand::Erase(args) => contact::erase(app, &args).await,
    }
}

async fn campaign(app: &App, command: CampaignCommand) -> Result<Exit> {
    match command {
        CampaignCommand::New(args) => campaign_new::run(app, &args),
        CampaignCommand::Check(args) => campaign_check::run(app, &args).await,
        CampaignCommand::Plan(args) => campaign_plan::run(app, &args).await,
        CampaignCommand::Test(args) => campaign_test::run(app, &args).await,
        CampaignCommand::Schedule(args) => campaign_schedule::run(app, &args).await,
        CampaignCommand::Run(args) => campaign_run::run(app, &args).await,
        CampaignCommand::Pause(args) => campaign_steer::pause(app, &args).await,
        CampaignCommand::Resume(args) => campaign_steer::resume(app, &args).await,
        CampaignCommand::Cancel(args) => campaign_steer::cancel(app, &args).await,
        CampaignCommand::Status(args) => campaign_report::status(app, &args).await,
        CampaignCommand::Report(args) => campaign_report::report(app, &args).await,
        CampaignCommand::Retry(args) => campaign_steer::retry(app, &args).await,
        CampaignCommand::Export(args) => campaign_export::run(app, &args).await,
        CampaignCommand::List => campaign_report::list(app).await,
    }
}
