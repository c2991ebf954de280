//! `list create|list|show|rename|delete`.

use crate::app::{App, Runs};
use crate::args::ListCommand;
use crate::exit::{Exit, Fault};
use crate::output::Table;
use anyhow::Result;
use postroad_store::{ListDeletion, ListInfo};
use serde_json::json;

pub async fn run(app: &App, command: &ListCommand) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let (store, output) = (&opened.store, app.output);
    match command {
        ListCommand::Create(args) => {
            check_name(&args.name)?;
            store.create_list(&args.name, args.title.as_deref(), app.now()).await?;
            let list = store.list(&args.name).await?;
            output.show(&list, |l| format!("list {} is made", l.name))?;
        }
        ListCommand::List => {
            let lists = store.lists().await?;
            if lists.is_empty() {
                output.say(
                    "there is no list yet; `postroad contact import FILE --list NAME` makes one",
                );
            }
            output.show(&lists, |lists| table(lists))?;
        }
        ListCommand::Show(args) => {
            output.show(&store.list(&args.name).await?, |l| table(std::slice::from_ref(l)))?;
        }
        ListCommand::Rename(args) => {
            check_name(&args.new_name)?;
            store.rename_list(&args.name, &args.new_name).await?;
            let done = json!({ "from": args.name, "to": args.new_name });
            output.show(&done, |_| format!("list {} is now {}", args.name, args.new_name))?;
        }
        ListCommand::Delete(args) => {
            needless(&args.name, store.delete_list(&args.name).await?)?;
            output.show(&json!({ "deleted": args.name }), |_| {
                format!("list {} is deleted", args.name)
            })?;
        }
    }
    opened.close().await;
    Ok(Exit::Ok)
}

/// A list with a history stays: links in mails that were sent name it.
fn needless(name: &str, done: ListDeletion) -> Result<()> {
    match done {
        ListDeletion::Deleted => Ok(()),
        ListDeletion::InUse { members, campaigns, suppressions } => {
            let text = format!(
                "list {name} is needed and stays: {members} contacts are or were on it, {campaigns} campaigns and \
                 {suppressions} suppressions name it; `postroad list rename` frees its name"
            );
            Err(Fault::new(Exit::Data, text).into())
        }
    }
}

/// Names stand in commands, files and header fields.
pub fn check_name(name: &str) -> Result<()> {
    let fine = !name.trim().is_empty()
        && name.chars().count() <= 100
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if fine {
        return Ok(());
    }
    Err(Fault::usage(format!("{name:?} is no name: up to 100 characters, no blanks at its ends"))
        .into())
}

fn table(lists: &[ListInfo]) -> String {
    if lists.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["list", "#subscribed", "#unsubscribed", "made", "title"]);
    for list in lists {
        table.row([
            list.name.clone(),
            list.subscribed.to_string(),
            list.unsubscribed.to_string(),
            list.created_at.rfc3339(),
            list.title.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}
