//! `GET /postmortems`: all postmortems, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;

use crate::app::App;
use crate::http::api::postmortems::PostmortemQuery;
use crate::http::format::{badge, time};
use crate::http::handler::{PAGE_ROWS, read_store};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::http::paging::{self, older};
use crate::model::meeting::Meeting;
use crate::model::postmortem::Postmortem;
use crate::store::error::StoreError;
use crate::store::list_cursor::ListCursor;

/// Data of the page.
pub(crate) struct PostmortemsView<'a> {
    /// Each with its meeting, newest first.
    pub(crate) postmortems: Vec<(&'a Postmortem, Option<&'a Meeting>)>,
    /// Link to older ones, if there are more.
    pub(crate) older: Option<String>,
}

#[derive(Template)]
#[template(path = "http/pages/postmortems.html")]
struct PostmortemsTemplate<'a> {
    tab: Tab,
    view: &'a PostmortemsView<'a>,
}

/// Renders the page.
pub(crate) fn render(view: &PostmortemsView<'_>) -> String {
    render_template(&PostmortemsTemplate {
        tab: Tab::Postmortems,
        view,
    })
}

pub(crate) async fn page(
    State(app): State<Arc<App>>,
    Query(query): Query<PostmortemQuery>,
) -> PageResult {
    let after = paging::after(query.after.as_deref())?.unwrap_or_else(ListCursor::start);
    let (list, next) = read_store(&app, move |app| {
        let mut list = app.core.store.list_postmortems(&after, PAGE_ROWS + 1)?;
        let more = list.len() > PAGE_ROWS;
        list.truncate(PAGE_ROWS);
        let next = list.last().filter(|_| more).map(|(place, _)| place.clone());
        let list = list
            .into_iter()
            .map(|(_, postmortem)| Ok((app.core.store.meeting(&postmortem.id)?, postmortem)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok((list, next))
    })
    .await?;
    let view = PostmortemsView {
        postmortems: list
            .iter()
            .map(|(meeting, postmortem)| (postmortem, meeting.as_ref()))
            .collect(),
        older: next.map(|next| older("/postmortems", &next)),
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{PostmortemsView, render};
    use crate::http::pages::sample;

    #[test]
    fn each_is_linked_with_its_status_and_meeting() {
        let (postmortem, meeting) = (sample::model::postmortem(), sample::model::meeting());
        let html = render(&PostmortemsView {
            postmortems: vec![(&postmortem, Some(&meeting)), (&postmortem, None)],
            older: Some("/postmortems?after=1.pm-1".to_owned()),
        });
        for wanted in [
            "href=\"/postmortems/pm-3f2a91c0de\"",
            ">draft<",
            "24 Nov 2026, 09:00 UTC",
            "not scheduled",
            "href=\"/postmortems?after=1.pm-1\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }
}
