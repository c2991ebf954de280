//! `top`: everything at a glance in a terminal; one frame as text or JSON anywhere else.

use crate::app::{App, Runs};
use crate::args::TopArgs;
use crate::environment;
use crate::exit::Exit;
use crate::top::view::Source;
use crate::top::{draw, screen};
use anyhow::Result;

pub async fn run(app: &App, args: &TopArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let mut source = Source::new(&opened);
    let view = source.read(app.now()).await?;
    if args.once || app.output.is_json() || !environment::stdout_is_terminal() {
        app.output.show(&view, draw::text)?;
    } else {
        screen::run(app, source, view).await?;
    }
    opened.close().await;
    Ok(Exit::Ok)
}
