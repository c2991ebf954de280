//! The terminal of `top`: drawn each second, given back as it was whatever ends the command.
//!
//! The terminal is restored when the screen is dropped, on a panic (ratatui's hook) and on SIGINT, SIGTERM and SIGHUP, which
//! end the loop. Keys are read on a thread of their own, because reading blocks. Nothing else writes to the terminal meanwhile.

use super::draw;
use super::view::{Source, View};
use crate::app::App;
use crate::signals;
use anyhow::{Context as _, Result};
use ratatui::backend::Backend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::{Frame, Terminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often the database is looked at.
const EACH: Duration = Duration::from_secs(1);
/// How long the keys' thread waits before it looks whether it is still wanted.
const KEYS: Duration = Duration::from_millis(200);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Up(u16),
    Down(u16),
    Redraw,
}

/// What is on the screen.
#[derive(Debug, Default)]
struct Shown {
    view: View,
    /// Why the view is not of now.
    stale: Option<String>,
    scroll: u16,
}

/// Shows views until somebody quits.
pub async fn run(app: &App, mut source: Source<'_>, first: View) -> Result<()> {
    let mut stop = signals::Quit::listen()?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on")?;
    let _restored = Restored;
    let mut keys = Keys::listen();
    let mut shown = Shown { view: first, ..Shown::default() };
    let mut tick = tokio::time::interval(EACH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    loop {
        draw(&mut terminal, &mut shown).context("the terminal cannot be drawn on")?;
        tokio::select! {
            () = stop.asked() => return Ok(()),
            wish = keys.next() => match wish {
                Wish::Quit => return Ok(()),
                Wish::Up(n) => shown.scroll = shown.scroll.saturating_sub(n),
                Wish::Down(n) => shown.scroll = shown.scroll.saturating_add(n),
                Wish::Redraw => {}
            },
            _ = tick.tick() => match source.read(app.now()).await {
                Ok(view) => (shown.view, shown.stale) = (view, None),
                Err(error) => shown.stale = Some(format!("{error:#}")),
            },
        }
    }
}

fn draw<B: Backend>(terminal: &mut Terminal<B>, shown: &mut Shown) -> Result<(), B::Error> {
    terminal.draw(|frame| paint(frame, shown)).map(drop)
}

fn paint(frame: &mut Frame<'_>, shown: &mut Shown) {
    let mut lines = draw::lines(&shown.view);
    if let Some(why) = &shown.stale {
        let why = crate::output::printable(why);
        lines.insert(1, Line::raw(format!("not of now, the database cannot be read: {why}")));
    }
    let area = frame.area();
    let below = lines.len().saturating_sub(usize::from(area.height.saturating_sub(1)));
    shown.scroll = shown.scroll.min(u16::try_from(below).unwrap_or(u16::MAX));
    let hint = if below > 0 { "q quits, arrows scroll" } else { "q quits" };
    let scroll = shown.scroll;
    frame.render_widget(Paragraph::new(lines).scroll((scroll, 0)), area);
    if area.height > 0 {
        let mut last = area;
        (last.y, last.height) = (area.bottom() - 1, 1);
        frame.render_widget(
            Paragraph::new(format!("{hint:<width$}", width = area.width.into())),
            last,
        );
    }
}

/// Gives the terminal back.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _gone = ratatui::try_restore();
    }
}

/// Keys, from a thread that ends with this.
struct Keys {
    wishes: mpsc::Receiver<Wish>,
    wanted: Arc<AtomicBool>,
}

impl Keys {
    fn listen() -> Self {
        let (sender, wishes) = mpsc::channel(16);
        let wanted = Arc::new(AtomicBool::new(true));
        let told = wanted.clone();
        std::thread::spawn(move || {
            while told.load(Ordering::Relaxed) {
                match event::poll(KEYS)
                    .and_then(|ready| if ready { event::read().map(Some) } else { Ok(None) })
                {
                    Ok(Some(event)) => {
                        if let Some(wish) = wish(&event) {
                            // A full queue means that nobody can see the difference.
                            let _full = sender.try_send(wish);
                        }
                    }
                    Ok(None) => {}
                    // A terminal that is gone: SIGHUP ends the command.
                    Err(_) => return,
                }
            }
        });
        Self { wishes, wanted }
    }

    async fn next(&mut self) -> Wish {
        match self.wishes.recv().await {
            Some(wish) => wish,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => of_key(key),
        Event::Resize(_, _) => Some(Wish::Redraw),
        Event::Key(_)
        | Event::Mouse(_)
        | Event::FocusGained
        | Event::FocusLost
        | Event::Paste(_) => None,
    }
}

fn of_key(key: &KeyEvent) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Some(Wish::Quit);
    }
    let keys = [
        (KeyCode::Char('q'), Wish::Quit),
        (KeyCode::Char('Q'), Wish::Quit),
        (KeyCode::Esc, Wish::Quit),
        (KeyCode::Up, Wish::Up(1)),
        (KeyCode::Char('k'), Wish::Up(1)),
        (KeyCode::PageUp, Wish::Up(10)),
        (KeyCode::Home, Wish::Up(u16::MAX)),
        (KeyCode::Down, Wish::Down(1)),
        (KeyCode::Char('j'), Wish::Down(1)),
        (KeyCode::PageDown, Wish::Down(10)),
        (KeyCode::End, Wish::Down(u16::MAX)),
    ];
    keys.into_iter().find(|(code, _)| *code == key.code).map(|(_, wish)| wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::{Trouble, Weight};
    use ratatui::backend::TestBackend;

    fn shown(trouble: usize) -> Shown {
        let of = |n| Trouble { at: None, what: format!("trouble {n}"), weight: Weight::Note };
        let trouble = (0..trouble).map(of).collect();
        let view =
            View { at: "2026-11-22T06:40:12.000Z".into(), nodes: 1, trouble, ..View::default() };
        Shown { view, ..Shown::default() }
    }

    fn rows(shown: &mut Shown, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        draw(&mut terminal, shown).unwrap();
        let buffer = terminal.backend().buffer();
        let cell = |x: u16, y: u16| buffer[(x, y)].symbol().to_owned();
        (0..height)
            .map(|y| (0..width).map(|x| cell(x, y)).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_small_terminal_scrolls_to_its_last_line_and_no_further() {
        let mut shown = shown(20);
        let first = rows(&mut shown, 40, 10);
        assert_eq!(first[0], "postroad  2026-11-22 06:40:12 UTC  1 nod");
        assert_eq!(first[9], "q quits, arrows scroll");
        shown.scroll = u16::MAX;
        let last = rows(&mut shown, 40, 10);
        assert_eq!(
            (last[8].as_str(), last[9].as_str()),
            ("  trouble 19", "q quits, arrows scroll")
        );
        let all = rows(&mut shown, 80, 60);
        assert_eq!((all[59].as_str(), shown.scroll), ("q quits", 0));
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_and_an_old_view_says_so() {
        let mut old = shown(3);
        old.stale = Some("cannot\u{1b}[2J open".into());
        assert_eq!(
            rows(&mut old, 80, 20)[1],
            "not of now, the database cannot be read: cannot\u{FFFD}[2J open"
        );
        for (width, height) in [(1, 1), (2, 2), (500, 3), (3, 200)] {
            rows(&mut old, width, height);
        }
    }

    #[test]
    fn keys_quit_and_scroll() {
        let check = |code, modifiers, expected| {
            let key = Event::Key(KeyEvent::new(code, modifiers));
            assert_eq!(wish(&key), expected, "{code:?}");
        };
        check(KeyCode::Char('q'), KeyModifiers::NONE, Some(Wish::Quit));
        check(KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Wish::Quit));
        check(KeyCode::Char('c'), KeyModifiers::NONE, None);
        check(KeyCode::Down, KeyModifiers::NONE, Some(Wish::Down(1)));
        check(KeyCode::Char('x'), KeyModifiers::NONE, None);
        assert_eq!(wish(&Event::Resize(1, 1)), Some(Wish::Redraw));
    }
}
