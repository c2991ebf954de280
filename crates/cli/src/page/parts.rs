//! Pieces of the page: escaped text, numbers, tiles, tables, bars.
//!
//! What must hold: `text` is the only way in for anything that is not written in this program, and it escapes.

use super::{Lang, plots};
use crate::output::thousands;

/// A page in the making.
pub struct Html {
    out: String,
    lang: Lang,
}

/// A number with its name.
pub struct Tile {
    pub head: &'static str,
    pub number: String,
    pub under: String,
}

impl Html {
    pub fn new(lang: Lang) -> Self {
        Self { out: String::with_capacity(16 * 1024), lang }
    }

    pub fn lang(&self) -> Lang {
        self.lang
    }

    pub fn done(self) -> String {
        self.out
    }

    /// The page's own words in its language.
    pub fn say(&self, en: &'static str, vi: &'static str) -> &'static str {
        match self.lang {
            Lang::En => en,
            Lang::Vi => vi,
        }
    }

    /// Markup of this program.
    pub fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// Any text, escaped.
    pub fn text(&mut self, text: &str) {
        self.out.push_str(&escape(text));
    }

    pub fn number(&self, n: i64) -> String {
        thousands(n, if self.lang == Lang::Vi { '.' } else { ',' })
    }

    /// `12.3 %`; a dash of nothing.
    pub fn percent(&self, n: i64, of: i64) -> String {
        if of <= 0 {
            return "–".to_owned();
        }
        let share = n as f64 / of as f64 * 100.0;
        // Complaints are worth a second digit.
        let text =
            if n > 0 && share < 1.0 { format!("{share:.2} %") } else { format!("{share:.1} %") };
        if self.lang == Lang::Vi { text.replace('.', ",") } else { text }
    }

    pub fn section(&mut self, head: &str) {
        self.raw("<section>\n<h2>");
        self.text(head);
        self.raw("</h2>\n");
    }

    pub fn end(&mut self) {
        self.raw("</section>\n");
    }

    pub fn tiles(&mut self, tiles: &[Tile]) {
        self.raw("<div class=\"tiles\">\n");
        for tile in tiles {
            for (tag, text) in [
                ("<div class=\"tile\"><p>", tile.head),
                ("</p><p class=\"number\">", &tile.number),
                ("</p><p>", &tile.under),
            ] {
                self.raw(tag);
                self.text(text);
            }
            self.raw("</p></div>\n");
        }
        self.raw("</div>\n");
    }

    pub fn table(&mut self, heads: &[&str], rows: &[Vec<String>]) {
        self.raw("<div class=\"scroll\"><table>\n<thead><tr>");
        for head in heads {
            self.raw("<th scope=\"col\">");
            self.text(head);
            self.raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (i, cell) in row.iter().enumerate() {
                let (open, close) =
                    if i == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
                self.raw(open);
                self.text(cell);
                self.raw(close);
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table></div>\n");
    }

    /// Numbers with bars, as shares of a whole.
    pub fn bars(&mut self, rows: &[(String, i64)], whole: i64) {
        self.bars_of(rows, whole, whole);
    }

    /// Numbers with bars of which `full` is the longest, and shares of `whole`.
    pub fn bars_of(&mut self, rows: &[(String, i64)], full: i64, whole: i64) {
        for (what, n) in rows {
            let said = format!("{} ({})", self.number(*n), self.percent(*n, whole));
            let plot = plots::bar(*n, full, &said);
            self.row_with_plot(what, &plot, &said);
        }
    }

    /// A name, a plot and what it says.
    pub fn row_with_plot(&mut self, what: &str, plot: &str, said: &str) {
        self.raw("<div class=\"row\"><span class=\"what\">");
        self.text(what);
        self.raw("</span><span class=\"plot\">");
        self.raw(plot);
        self.raw("</span><span class=\"said\">");
        self.text(said);
        self.raw("</span></div>\n");
    }
}

/// Text for elements and quoted attributes. Control characters, which HTML does not allow, become visible.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
