//! `campaign report --html FILE`: a campaign's numbers and plots as one self-contained page.
//!
//! Made from the same `Report` as every other view, plus a few counts by time and mailbox provider. Pure: text in, text out.
//! What must hold: the page fetches nothing, runs nothing and is readable on a phone, on paper and without colours; every text
//! from outside is escaped; an inbox rate stands with its interval and its sample, and is called an estimate. Plots are drawn by
//! `plots` as inline SVG.

mod opens;
mod parts;
mod plots;

use crate::output::thousands;
use parts::{Html, Tile};
use postroad_campaign::{Rate, Report};
use postroad_model::delivery::DeliveryState;
use postroad_model::when::Zone;
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::OverTime;
use std::collections::BTreeMap;

/// Language of the page's own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Vietnamese.
    Vi,
}

/// Everything that the page shows.
#[derive(Debug)]
pub struct Page<'a> {
    pub report: &'a Report,
    pub subject: &'a str,
    pub from: &'a str,
    pub zone: &'a Zone,
    pub made_at: Timestamp,
    pub over_time: Option<&'a OverTime>,
    pub providers: &'a [(MailboxProvider, DeliveryState, i64)],
    pub opted_out: i64,
    pub lang: Lang,
}

const STYLE: &str = include_str!("page/page.css");

impl Page<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let mut h = Html::new(self.lang);
        let name = &self.report.campaign;
        let code = if self.lang == Lang::Vi { "vi" } else { "en" };
        h.raw(&format!(
            "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>"
        ));
        h.text(&format!("{name} – {}", h.say("campaign report", "báo cáo chiến dịch")));
        h.raw(&format!("</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"));
        self.head(&mut h);
        self.tiles(&mut h);
        self.sums(&mut h);
        self.over_time(&mut h);
        self.inbox(&mut h);
        self.by_provider(&mut h);
        self.by_relay(&mut h);
        if let Some(opens) = &self.report.opens {
            opens::section(&mut h, opens);
        }
        self.came_back(&mut h);
        self.left_out(&mut h);
        self.notes(&mut h);
        h.raw("</main>\n</body>\n</html>\n");
        h.done()
    }

    fn head(&self, h: &mut Html) {
        let r = self.report;
        h.raw("<header>\n<h1>");
        h.text(&r.campaign);
        h.raw("</h1>\n<p class=\"subject\">");
        h.text(self.subject);
        h.raw("</p>\n<p class=\"quiet\">");
        h.text(self.from);
        let time = |text: &Option<String>| {
            text.as_deref().and_then(Timestamp::parse_rfc3339).map(|t| self.zone.long(t))
        };
        let over = matches!(r.state, "finished" | "cancelled" | "missed");
        let end = if over {
            h.say("ended", "kết thúc")
        } else {
            h.say("will end about", "dự kiến xong")
        };
        for (what, at) in
            [(h.say("started", "bắt đầu"), time(&r.starts_at)), (end, time(&r.ends_at))]
        {
            if let Some(at) = at {
                h.text(&format!(" · {what} {at}"));
            }
        }
        h.raw("</p>\n");
        if !over {
            h.raw("<p class=\"warn\">");
            let as_of = self.zone.long(self.made_at);
            h.text(&match self.lang {
                Lang::En => {
                    format!("The campaign is {}; these are the figures of {as_of}.", r.state)
                }
                Lang::Vi => format!("Chiến dịch chưa kết thúc ({}); số liệu lúc {as_of}.", r.state),
            });
            h.raw("</p>\n");
        }
        h.raw("</header>\n");
    }

    fn tiles(&self, h: &mut Html) {
        let r = self.report;
        let back = |kind: &str| r.came_back.iter().filter(|l| l.kind == kind).map(|l| l.n).sum();
        let complaints: i64 = back("complaint");
        let failed = r.rejected + r.bounced;
        let taken = r.accepted + r.bounced;
        let of_audience = |n| h.percent(n, r.audience);
        let of_taken = |n| h.percent(n, taken);
        let rate = r.inbox.as_ref().and_then(|i| i.rate);
        let inbox = match rate {
            Some(rate) => Tile {
                head: h.say("Inbox rate (estimate)", "Tỷ lệ vào hộp thư đến (ước lượng)"),
                number: whole_percent(rate.ratio),
                under: interval(h, &rate),
            },
            None => Tile {
                head: h.say("Inbox rate", "Tỷ lệ vào hộp thư đến"),
                number: "–".into(),
                under: h.say("not measured", "chưa đo").into(),
            },
        };
        let tiles = [
            Tile {
                head: h.say("Audience", "Người nhận"),
                number: h.number(r.audience),
                under: h.say("people", "người").into(),
            },
            Tile {
                head: h.say("Accepted", "Đã được nhận"),
                number: h.number(taken),
                under: of_audience(taken),
            },
            inbox,
            Tile {
                head: h.say("Refused or returned", "Bị từ chối hoặc trả lại"),
                number: h.number(failed),
                under: of_audience(failed),
            },
            Tile {
                head: h.say("Complaints", "Khiếu nại"),
                number: h.number(complaints),
                under: of_taken(complaints),
            },
            Tile {
                head: h.say("Unsubscribed", "Hủy đăng ký"),
                number: h.number(self.opted_out),
                under: of_taken(self.opted_out),
            },
        ];
        h.tiles(&tiles);
    }

    fn sums(&self, h: &mut Html) {
        let r = self.report;
        h.section(h.say("What became of everybody", "Kết quả của từng người nhận"));
        let states = [
            (h.say("accepted by a relay", "máy chủ đã nhận"), r.accepted),
            (h.say("accepted, then returned", "đã nhận rồi trả lại"), r.bounced),
            (h.say("refused for good", "bị từ chối hẳn"), r.rejected),
            (h.say("unknown: the answer was lost", "không rõ: mất câu trả lời"), r.unknown),
            (
                h.say("opted out or blocked before sending", "hủy hoặc bị chặn trước khi gửi"),
                r.suppressed,
            ),
            (h.say("not reached in time", "hết hạn trước khi gửi"), r.expired),
            (h.say("cancelled", "đã hủy"), r.cancelled),
            (h.say("could not be sent", "không gửi được"), r.failed),
            (h.say("waiting", "đang chờ"), r.scheduled + r.leased + r.sending),
        ];
        let rows: Vec<(String, i64)> = states
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| ((*what).to_owned(), *n))
            .collect();
        h.bars(&rows, r.audience);
        let sum: i64 = states.iter().map(|(_, n)| n).sum();
        let (class, verdict) = if sum == r.audience && r.imbalance == 0 {
            ("good", h.say("The sum is right", "Tổng khớp"))
        } else {
            ("warn", h.say("The sum is NOT right", "Tổng KHÔNG khớp"))
        };
        h.raw(&format!("<p class=\"{class}\">"));
        h.text(&format!("{verdict}: {} = {}", h.number(sum), h.number(r.audience)));
        h.raw("</p>\n");
        h.end();
    }

    fn over_time(&self, h: &mut Html) {
        let Some(times) = self.over_time else { return };
        h.section(h.say("Accepted over time", "Số thư được nhận theo thời gian"));
        let most = times.slots.iter().copied().max().unwrap_or(0);
        let step = step_words(h, times.step_ms);
        h.raw("<p class=\"quiet\">");
        h.text(&match self.lang {
            Lang::En => format!("At most {} in {step}", h.number(most)),
            Lang::Vi => format!("Nhiều nhất {} thư mỗi {step}", h.number(most)),
        });
        h.raw("</p>\n");
        let label = h.say("accepted over time", "số thư được nhận theo thời gian");
        h.raw(&plots::columns(&times.slots, label));
        let ends = [times.from, Timestamp(times.from.0 / 2 + times.to.0 / 2), times.to];
        h.raw("<p class=\"axis\">");
        for at in ends {
            h.raw("<span>");
            h.text(&self.zone.short(at));
            h.raw("</span>");
        }
        h.raw("</p>\n");
        h.end();
    }

    fn inbox(&self, h: &mut Html) {
        let Some(inbox) = &self.report.inbox else { return };
        h.section(h.say("Inbox rate: an estimate", "Tỷ lệ vào hộp thư đến: ước lượng"));
        let target = self.report.canary.as_ref().map(|c| c.min_inbox);
        let all = h.say("whole campaign", "cả chiến dịch").to_owned();
        let mut rows = vec![(all, inbox.rate)];
        rows.extend(inbox.providers.iter().map(|(p, rate)| ((*p).to_owned(), *rate)));
        if inbox.relays.len() > 1 {
            rows.extend(inbox.relays.iter().map(|(relay, rate)| (relay.clone(), *rate)));
        }
        for (what, rate) in rows {
            let said = rate.map_or_else(
                || "–".to_owned(),
                |r| format!("{}: {}", whole_percent(r.ratio), interval(h, &r)),
            );
            let plot = rate.map(|r| plots::interval(&r, target, &said)).unwrap_or_default();
            h.row_with_plot(&what, &plot, &said);
        }
        h.raw("<p class=\"quiet\">");
        h.text(h.say(
            "Copies of the campaign went to mailboxes of our own, which were looked into. The line is the 95 % interval: the fewer \
             copies, the longer it is. Those mailboxes open nothing and filters are personal, so this is an estimate and no \
             measurement of every reader. Tabs such as Promotions count as inbox.",
            "Bản sao của chiến dịch được gửi tới các hộp thư của chúng tôi rồi kiểm tra. Đường kẻ là khoảng tin cậy 95 %: càng ít \
             bản sao thì càng dài. Các hộp thư này không mở thư và bộ lọc của mỗi người mỗi khác, nên đây chỉ là ước lượng. Các \
             thẻ như Quảng cáo được tính là hộp thư đến.",
        ));
        if let Some(target) = target {
            let words = h
                .say("The dashed mark is the rate that was asked for", "Vạch đứt là tỷ lệ yêu cầu");
            h.text(&format!(" {words}: {}.", whole_percent(target)));
        }
        if inbox.weighted {
            let share = whole_percent(inbox.covered);
            h.text(&match self.lang {
                Lang::En => format!(" Weighted by the audience's mailbox providers; it speaks for {share} of the audience."),
                Lang::Vi => format!(" Tính theo tỷ trọng nhà cung cấp hộp thư; đại diện cho {share} người nhận."),
            });
        }
        h.raw("</p>\n");
        let copies: Vec<(String, i64)> = inbox
            .copies
            .iter()
            .map(|(place, n)| (place.replace('_', " "), i64::from(*n)))
            .collect();
        let total = copies.iter().map(|(_, n)| n).sum();
        h.bars(&copies, total);
        if let Some(canary) = &self.report.canary {
            h.raw("<p>");
            h.text(&format!("{}: {}", h.say("Canary", "Gửi thử trước (canary)"), canary.line()));
            h.raw("</p>\n");
        }
        h.end();
    }

    fn by_provider(&self, h: &mut Html) {
        let mut lines: BTreeMap<MailboxProvider, [i64; 5]> = BTreeMap::new();
        for (provider, state, n) in self.providers {
            let line = lines.entry(*provider).or_default();
            line[0] += n;
            match state {
                DeliveryState::Accepted => line[1] += n,
                DeliveryState::Bounced => line[2] += n,
                DeliveryState::Rejected => line[3] += n,
                DeliveryState::Unknown
                | DeliveryState::Scheduled
                | DeliveryState::Leased
                | DeliveryState::Sending
                | DeliveryState::Suppressed
                | DeliveryState::Expired
                | DeliveryState::Cancelled
                | DeliveryState::Failed => line[4] += n,
            }
        }
        if lines.is_empty() {
            return;
        }
        let mut lines: Vec<(MailboxProvider, [i64; 5])> = lines.into_iter().collect();
        lines.sort_by_key(|(_, line)| -line[0]);
        h.section(h.say("By mailbox provider", "Theo nhà cung cấp hộp thư"));
        let heads = [
            h.say("provider", "nhà cung cấp"),
            h.say("people", "người"),
            h.say("accepted", "đã nhận"),
            h.say("returned", "trả lại"),
            h.say("refused", "từ chối"),
            h.say("other", "khác"),
            h.say("accepted, share", "tỷ lệ nhận"),
        ];
        let rows: Vec<Vec<String>> = lines
            .iter()
            .map(|(provider, line)| {
                let mut cells = vec![provider.as_str().to_owned()];
                cells.extend(line.iter().map(|n| h.number(*n)));
                cells.push(h.percent(line[1] + line[2], line[0]));
                cells
            })
            .collect();
        h.table(&heads, &rows);
        h.end();
    }

    fn by_relay(&self, h: &mut Html) {
        if self.report.relays.is_empty() {
            return;
        }
        h.section(h.say("By relay", "Theo máy chủ gửi"));
        let heads = [
            h.say("relay", "máy chủ"),
            h.say("accepted", "đã nhận"),
            h.say("refused", "từ chối"),
            h.say("deferrals", "lần hoãn"),
        ];
        let row = |(name, relay): (&String, &postroad_campaign::RelayReport)| {
            let numbers = [relay.accepted, relay.rejected, relay.deferred];
            let mut cells = vec![name.clone()];
            cells.extend(numbers.map(|n| h.number(n)));
            cells
        };
        let rows: Vec<Vec<String>> = self.report.relays.iter().map(row).collect();
        h.table(&heads, &rows);
        h.end();
    }

    fn came_back(&self, h: &mut Html) {
        h.section(h.say("What came back, by reason", "Thư báo về, theo lý do"));
        let mut reasons: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for line in &self.report.came_back {
            *reasons.entry((line.kind, line.reason)).or_default() += line.n;
        }
        if reasons.is_empty() {
            h.raw("<p class=\"good\">");
            h.text(h.say("Nothing came back.", "Không có thư báo về."));
            h.raw("</p>\n");
        } else {
            let mut rows: Vec<(String, i64)> = reasons
                .into_iter()
                .map(|((kind, reason), n)| (came_back_words(kind, reason), n))
                .collect();
            rows.sort_by_key(|(_, n)| -n);
            let most = rows.iter().map(|(_, n)| *n).max().unwrap_or(0);
            h.bars_of(
                &rows,
                most,
                self.report.accepted + self.report.bounced + self.report.rejected,
            );
        }
        h.end();
    }

    fn left_out(&self, h: &mut Html) {
        if self.report.left_out.is_empty() {
            return;
        }
        h.section(h.say("On the lists, and left out", "Có trong danh sách nhưng không gửi"));
        let mut rows: Vec<(String, i64)> =
            self.report.left_out.iter().map(|(why, n)| (why.replace('_', " "), *n)).collect();
        rows.sort_by_key(|(_, n)| -n);
        let sum: i64 = rows.iter().map(|(_, n)| n).sum();
        h.bars(&rows, sum);
        h.end();
    }

    fn notes(&self, h: &mut Html) {
        h.raw("<footer>\n<p>");
        h.text(h.say(
            "Accepted means that a relay took the message; no server tells where it then lay, which is why the inbox rate is \
             estimated with mailboxes of our own. ",
            "“Đã nhận” nghĩa là máy chủ đã nhận thư; không máy chủ nào cho biết thư nằm ở đâu, vì vậy tỷ lệ vào hộp thư đến được \
             ước lượng bằng các hộp thư của chúng tôi. ",
        ));
        h.text(opens::note(self.lang, self.report.opens.as_ref()));
        h.raw("</p>\n<p>");
        let at = self.zone.long(self.made_at);
        h.text(&match self.lang {
            Lang::En => format!("Made by Postroad {} on {at}", env!("CARGO_PKG_VERSION")),
            Lang::Vi => format!("Postroad {} lập lúc {at}", env!("CARGO_PKG_VERSION")),
        });
        h.raw("</p>\n</footer>\n");
    }
}

/// `74 to 97 % of 30 copies`
fn interval(h: &Html, rate: &Rate) -> String {
    let percent = |x: f64| (x * 100.0).round();
    let (lower, upper, n) = (percent(rate.lower), percent(rate.upper), rate.samples);
    match (h.lang(), n) {
        (Lang::En, 1) => format!("{lower} to {upper} %, 1 copy"),
        (Lang::En, _) => format!("{lower} to {upper} %, {n} copies"),
        (Lang::Vi, _) => format!("{lower} đến {upper} %, {n} bản"),
    }
}

/// `hard: user unknown`; a reason that only repeats its kind is left out.
fn came_back_words(kind: &str, reason: &str) -> String {
    if kind == reason { kind.to_owned() } else { format!("{kind}: {}", reason.replace('_', " ")) }
}

fn whole_percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round())
}

fn step_words(h: &Html, ms: i64) -> String {
    let (n, unit) = match ms {
        ..2_000 => (ms, "ms"),
        2_000..120_000 => (ms / 1_000, h.say("seconds", "giây")),
        120_000..7_200_000 => (ms / 60_000, h.say("minutes", "phút")),
        _ => (ms / 3_600_000, h.say("hours", "giờ")),
    };
    format!("{} {unit}", thousands(n, ','))
}

#[cfg(test)]
#[path = "page/page_tests.rs"]
mod tests;
