//! `/postmortems/{id}`: the document in its file, and its meeting.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;
use crate::http::error::Error;
use crate::http::format::{badge, time};
use crate::http::handler::read_store;
use crate::http::pages::error::PageError;
use crate::http::pages::layout::SVG_HEADERS;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::id::PostmortemId;
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;
use ammonia::Builder;
use chrono_tz::Tz;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Data of the page.
pub(crate) struct PostmortemView<'a> {
    pub(crate) postmortem: &'a Postmortem,
    /// Path of the file.
    pub(crate) path: &'a str,
    /// Text of the file; `None` if it could not be read.
    pub(crate) markdown: Option<&'a str>,
    /// Meeting, once scheduled.
    pub(crate) meeting: Option<&'a Meeting>,
    /// Time zone of the meeting's times.
    pub(crate) zone: Tz,
}

#[derive(Template)]
#[template(path = "http/pages/postmortem.html")]
struct PostmortemTemplate<'a> {
    tab: Tab,
    view: &'a PostmortemView<'a>,
    front_matter: Option<&'a str>,
    document: Option<String>,
}

impl PostmortemTemplate<'_> {
    fn meeting_time(&self, meeting: &Meeting) -> String {
        let (from, to) = (
            meeting.starts_at.with_timezone(&self.view.zone),
            meeting.ends_at.with_timezone(&self.view.zone),
        );
        format!(
            "{}–{} ({})",
            from.format("%A, %-d %B %Y, %H:%M"),
            to.format("%H:%M"),
            self.view.zone
        )
    }
}

/// Renders the page.
pub(crate) fn render(view: &PostmortemView<'_>) -> String {
    let (front_matter, body) = view.markdown.map(split).unzip();
    render_template(&PostmortemTemplate {
        tab: Tab::Postmortems,
        view,
        front_matter: front_matter.flatten(),
        document: body.map(|body| document(below_title(body, &view.postmortem.title))),
    })
}

/// Splits off the front matter.
fn split(text: &str) -> (Option<&str>, &str) {
    let text = text.trim_start_matches('\u{feff}');
    let Some(rest) = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))
    else {
        return (None, text);
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (Some(rest[..at].trim_end()), &rest[at + line.len()..]);
        }
        at += line.len();
    }
    (None, text)
}

/// Removes a first heading that repeats the title of the page.
fn below_title<'a>(body: &'a str, title: &str) -> &'a str {
    let body = body.trim_start();
    let (first, rest) = body.split_once('\n').unwrap_or((body, ""));
    if first
        .strip_prefix("# ")
        .is_some_and(|heading| heading.trim() == title)
    {
        rest
    } else {
        body
    }
}

/// Converts Markdown to sanitized HTML: no scripts, styles, handlers or forms, only web and mail
/// links.
/// Headings move one level down, because the page has its own; tables get a scrolling box.
fn document(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(markdown, options).flat_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => [
            Some(Event::Start(Tag::Heading {
                level: lower(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            })),
            None,
        ],
        Event::End(TagEnd::Heading(level)) => {
            [Some(Event::End(TagEnd::Heading(lower(level)))), None]
        }
        Event::Start(Tag::Table(columns)) => [
            Some(Event::Html("<div class=\"scroll\">".into())),
            Some(Event::Start(Tag::Table(columns))),
        ],
        Event::End(TagEnd::Table) => [
            Some(Event::End(TagEnd::Table)),
            Some(Event::Html("</div>".into())),
        ],
        Event::TaskListMarker(done) => [
            Some(Event::Text(if done { "☑ " } else { "☐ " }.into())),
            None,
        ],
        other => [Some(other), None],
    });
    let mut unsafe_html = String::new();
    html::push_html(&mut unsafe_html, events.flatten());
    Builder::default()
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer"))
        .add_allowed_classes("div", ["scroll"])
        .clean(&unsafe_html)
        .to_string()
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

pub(crate) async fn page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    if id.ends_with(".svg") {
        // The document references the plots beside it.
        let wanted = id.clone();
        let picture = read_store(&app, move |app| app.conditions.plot_svg(&wanted)).await?;
        let picture =
            picture.ok_or_else(|| Error::NotFound(format!("picture `{id}` does not exist")))?;
        return Ok((SVG_HEADERS, picture).into_response());
    }
    let wanted = PostmortemId(id.clone());
    let found = read_store(&app, move |app| {
        Ok((
            app.core.store.postmortem(&wanted)?,
            app.core.store.meeting(&wanted)?,
        ))
    })
    .await?;
    let (Some(postmortem), meeting) = found else {
        return Err(Error::NotFound(format!(
            "postmortem `{id}` does not exist; see /postmortems"
        ))
        .into());
    };
    let settings = app.core.settings();
    let path = settings
        .path(&settings.config.postmortems_directory)
        .join(&postmortem.file);
    // The file is authoritative; the last generated text replaces a missing one.
    let file = tokio::task::spawn_blocking({
        let path = path.clone();
        move || std::fs::read_to_string(path)
    });
    let text = file
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_else(|| postmortem.generated.clone());
    let view = PostmortemView {
        postmortem: &postmortem,
        path: &path.display().to_string(),
        markdown: Some(&text),
        meeting: meeting.as_ref(),
        zone: settings.config.time_zone,
    };
    Ok(Html(render(&view)).into_response())
}

#[cfg(test)]
mod tests {
    use super::{PostmortemView, below_title, document, render, split};
    use crate::http::pages::sample;

    #[test]
    fn front_matter_is_apart_from_the_text() {
        assert_eq!(
            split("---\nid: pm-1\n---\n# T\n"),
            (Some("id: pm-1"), "# T\n")
        );
        assert_eq!(
            split("---\r\nid: pm-1\r\n---\r\n# T"),
            (Some("id: pm-1"), "# T")
        );
        assert_eq!(split("# T\n---\n"), (None, "# T\n---\n"));
        assert_eq!(split("---\nnever closed"), (None, "---\nnever closed"));
        assert_eq!(split(""), (None, ""));
    }

    #[test]
    fn the_title_is_said_once() {
        assert_eq!(below_title("\n# T \ntext", "T"), "text");
        assert_eq!(below_title("# T", "T"), "");
        assert_eq!(below_title("# Other\ntext", "T"), "# Other\ntext");
    }

    #[test]
    fn markdown_becomes_html_below_the_heading_of_the_page() {
        insta::assert_snapshot!(document("# Summary\n\n| when | what |\n|--|--|\n| 10:02 | *began* |\n"), @r#"
        <h2>Summary</h2>
        <div class="scroll"><table><thead><tr><th>when</th><th>what</th></tr></thead><tbody>
        <tr><td>10:02</td><td><em>began</em></td></tr>
        </tbody></table>
        </div>
        "#);
    }

    #[test]
    fn hostile_markdown_is_defused() {
        let html = document(
            "<script>alert(1)</script>\n\n[x](javascript:alert(1)) [y](data:text/html,z) <img src=x onerror=alert(1)>\n\n<p style=\"position:fixed\" onclick=\"a()\">t</p>\n\n<form action=/reload><button>go</button></form>\n",
        );
        for banned in [
            "<script",
            "javascript:",
            "data:",
            "onerror",
            "onclick",
            "style=",
            "<form",
            "<button",
        ] {
            assert!(!html.contains(banned), "{banned} in {html}");
        }
    }

    #[test]
    fn it_shows_the_meeting_the_file_and_the_text() {
        let (postmortem, meeting) = (sample::model::postmortem(), sample::model::meeting());
        let html = render(&PostmortemView {
            postmortem: &postmortem,
            path: "data/postmortems/x.md",
            markdown: Some(sample::model::MARKDOWN),
            meeting: Some(&meeting),
            zone: chrono_tz::Europe::Berlin,
        });
        for wanted in [
            "Tuesday, 24 November 2026, 10:00–11:00 (Europe/Berlin)",
            "data/postmortems/x.md",
            "Lin T.",
            "Lessons learned</h",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }

    #[test]
    fn missing_file_is_reported() {
        let postmortem = sample::model::postmortem();
        let html = render(&PostmortemView {
            postmortem: &postmortem,
            path: "x.md",
            markdown: None,
            meeting: None,
            zone: chrono_tz::UTC,
        });
        assert!(html.contains("could not be read"), "{html}");
    }
}
