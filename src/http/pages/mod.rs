//! The web pages: one file a page, with its template, its view and its handlers.
//!
//! Each page is rendered by a function from a view of model data to HTML, which needs no server.
//! All of them work without scripts and under a content security policy that allows only the style
//! sheet served at `/style.css`: no element carries styles or handlers of its own.

pub(crate) mod ask;
pub(crate) mod backtest;
pub(crate) mod backtests;
pub(crate) mod chart;
pub(crate) mod conditions;
pub(crate) mod corrections;
pub(crate) mod criteria;
pub(crate) mod declare;
pub(crate) mod error;
pub(crate) mod fault_notices;
pub(crate) mod form;
pub(crate) mod home;
pub(crate) mod incident;
pub(crate) mod incidents;
pub(crate) mod layout;
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

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

/// The routes of the pages and their forms. Only a POST acts.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(home::page))
        .route("/assign", post(home::assign))
        .route("/suggestions", get(suggestions::page))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{id}", get(incident::page))
        .route("/incidents/{id}/plots/{name}", get(incident::plot))
        .route("/incidents/{id}/review", post(incident::review))
        .route("/incidents/{id}/notes", post(incident::note))
        .route("/incidents/{id}/merge", post(corrections::merge))
        .route("/incidents/{id}/move", post(corrections::move_events))
        .route("/incidents/{id}/identities", post(corrections::identity))
        .route("/incidents/{id}/milestones", post(corrections::milestone))
        .route("/postmortems", get(postmortems::page))
        .route("/postmortems/{id}", get(postmortem::page))
        .route("/ledger", get(ledger::page))
        .route("/criteria", get(criteria::page))
        .route("/ask", get(ask::page).post(ask::post))
        .route("/declare", get(declare::page).post(declare::post))
        .route(
            "/maintenance",
            get(maintenance::page).post(maintenance::post),
        )
        .route("/backtests", get(backtests::page).post(backtests::post))
        .route("/backtests/{number}", get(backtest::page))
        .route("/backtests/{number}/cancel", post(backtest::cancel))
        .route("/conditions", get(conditions::page))
        .route("/sources", get(sources::page))
        .route("/quarantine", get(quarantine::page))
        .route("/quarantine/retry", post(quarantine::retry_all))
        .route("/quarantine/{position}", get(quarantine::message_page))
        .route("/quarantine/{position}/body", get(quarantine::body))
        .route("/quarantine/{position}/retry", post(quarantine::retry))
        .route("/quarantine/{position}/dismiss", post(quarantine::dismiss))
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn every_page_keeps_to_the_content_security_policy() {
        for (name, html) in sample::all::all() {
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
        // Filter forms lead to their own page.
        let looks = [
            "<form method=\"get\" action=\"/ledger\"",
            "<form method=\"get\" action=\"/criteria\"",
        ];
        for (name, html) in sample::all::all() {
            let looking: usize = looks.iter().map(|form| html.matches(form).count()).sum();
            assert_eq!(
                html.matches("<form").count(),
                html.matches("<form method=\"post\"").count() + looking,
                "{name}"
            );
        }
    }
}
