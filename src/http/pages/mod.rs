//! The web pages: each a view of model data and a function from it to HTML. No server, clock or store is needed to make one.
//!
//! All of them work without scripts and under `default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'`:
//! the only style sheet is [`STYLE`], served at `/style.css`, and no element carries styles or handlers of its own.

pub(crate) mod ask;
pub(crate) mod backtest;
pub(crate) mod backtests;
pub(crate) mod chart;
pub(crate) mod conditions;
pub(crate) mod criteria;
pub(crate) mod declare;
pub(crate) mod error;
pub(crate) mod home;
pub(crate) mod incident;
pub(crate) mod incidents;
pub(crate) mod ledger;
pub(crate) mod maintenance;
pub(crate) mod postmortem;
pub(crate) mod postmortems;
pub(crate) mod quarantine;
pub(crate) mod review;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod sources;
pub(crate) mod suggestions;

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::model::time::Time;

/// The style sheet, `text/css; charset=utf-8`.
pub(crate) const STYLE: &str = include_str!("../style.css");

/// A template's text. Writing to a string fails only when a `Display` in it does; none of ours does.
fn show(page: &impl Template) -> String {
    page.render()
        .unwrap_or_else(|fault| format!("This page could not be written: {fault}"))
}

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Watched,
    Suggestions,
    Incidents,
    Postmortems,
    Ledger,
    Criteria,
    Sources,
    Ask,
    /// A page that no entry leads to.
    Elsewhere,
}

/// One link of the navigation.
struct NavLink {
    href: &'static str,
    text: &'static str,
    current: bool,
}

impl Tab {
    /// All links, the one to this page marked.
    fn links(self) -> Vec<NavLink> {
        [
            (Self::Watched, "/", "Watched"),
            (Self::Suggestions, "/suggestions", "Suggestions"),
            (Self::Incidents, "/incidents", "Incidents"),
            (Self::Postmortems, "/postmortems", "Postmortems"),
            (Self::Ledger, "/ledger", "Ledger"),
            (Self::Criteria, "/criteria", "Criteria"),
            (Self::Sources, "/sources", "Sources"),
            (Self::Ask, "/ask", "Ask for a postmortem"),
        ]
        .into_iter()
        .map(|(tab, href, text)| NavLink {
            href,
            text,
            current: tab == self,
        })
        .collect()
    }
}

/// A word to the person at the top of a page: "this changed since you looked".
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// True when what they sent was not taken as they meant it.
    pub(crate) warning: bool,
    /// What to know.
    pub(crate) text: String,
}

/// A duration in words, cut to what helps: `42s`, `2m 30s`, `42m`, `1h 5m`, `3d 4h`. Seconds go from ten minutes on; nothing is rounded up.
pub(crate) fn human(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let all = seconds.unsigned_abs();
    let (days, hours, minutes, rest) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{sign}{large}{unit}"),
        _ => format!("{sign}{large}{unit} {small}{smaller}"),
    };
    match all {
        0..60 => format!("{sign}{rest}s"),
        60..600 => two(minutes, "m", rest, "s"),
        600..3600 => format!("{sign}{minutes}m"),
        3600..86_400 => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// How long before `now` something was: `12m ago`.
fn ago(now: &Time, at: &Time) -> String {
    match (*now - *at).num_seconds() {
        seconds if seconds < 0 => format!("in {}", human(-seconds)),
        0 => "now".to_owned(),
        seconds => format!("{} ago", human(seconds)),
    }
}

/// An instant as a `<time>` element; the attribute has the full instant, whatever is shown.
struct Moment {
    at: Time,
    shown: &'static str,
}

/// `23 Nov 2026, 10:02 UTC`
fn moment(at: &Time) -> Moment {
    Moment {
        at: *at,
        shown: "%-d %b %Y, %H:%M UTC",
    }
}

/// `10:02:14`, for a list whose day is said elsewhere.
fn clock(at: &Time) -> Moment {
    Moment {
        at: *at,
        shown: "%H:%M:%S",
    }
}

/// `23 Nov, 10:02:14`
fn instant(at: &Time) -> Moment {
    Moment {
        at: *at,
        shown: "%-d %b, %H:%M:%S",
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\">{}</time>",
            self.at.format("%Y-%m-%dT%H:%M:%SZ"),
            self.at.format(self.shown)
        )
    }
}

// Made of digits, month names and our own markup only.
impl HtmlSafe for Moment {}

/// The address when a link may lead there: the web, or this service. Anything else (`javascript:`, `data:`) is shown as text.
fn web(url: &str) -> Option<&str> {
    let lower = url.trim_start().to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::{human, sample, web};

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (150, "2m 30s"),
            (1799, "29m"),
            (2520, "42m"),
            (3600, "1h"),
            (3900, "1h 5m"),
            (97_200, "1d 3h"),
            (-90, "-1m 30s"),
        ] {
            assert_eq!(human(seconds), text);
        }
        assert_eq!(human(i64::MIN).split(' ').count(), 2);
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(web("https://example.com/x"), Some("https://example.com/x"));
        for hostile in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "data:text/html,x",
            "//example.com",
        ] {
            assert_eq!(web(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn every_page_keeps_to_the_content_security_policy() {
        for (name, html) in sample::pages() {
            let lower = html.to_lowercase();
            for banned in [
                "<script",
                "<style",
                " style=",
                " onclick=",
                " onload=",
                " onerror=",
                "href=\"javascript",
                "src=\"http",
            ] {
                assert!(!lower.contains(banned), "{name} has {banned}");
            }
            for wanted in [
                "<html lang=\"en\">",
                "name=\"viewport\"",
                "<title>",
                "href=\"/style.css\"",
                "href=\"#main\"",
                "id=\"main\"",
                "<h1",
            ] {
                assert!(html.contains(wanted), "{name} lacks {wanted}");
            }
            assert_eq!(
                html.matches("<h1").count(),
                1,
                "{name} has one first heading"
            );
        }
    }

    #[test]
    fn a_form_acts_only_by_post() {
        // Those that only narrow down what is shown lead to the page that they are on.
        let looks = [
            "<form method=\"get\" action=\"/ledger\"",
            "<form method=\"get\" action=\"/criteria\"",
        ];
        for (name, html) in sample::pages() {
            let looking: usize = looks.iter().map(|form| html.matches(form).count()).sum();
            assert_eq!(
                html.matches("<form").count(),
                html.matches("<form method=\"post\"").count() + looking,
                "{name}"
            );
        }
    }
}
