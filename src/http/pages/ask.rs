//! `GET /ask` and what follows `POST /ask`: a stakeholder asks for a postmortem without knowing the tool.

use askama::Template;

use super::{Tab, show};

/// What the form shows. Fields: `reason`, `service`, `when`, `requester`; on an incident's page also `incident`.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Names to choose from.
    pub(crate) services: Vec<String>,
    /// What was entered before, when the form comes back.
    pub(crate) entered: Entered,
    /// What is missing, and what to do.
    pub(crate) fault: Option<String>,
}

/// What a person entered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entered {
    /// What they want to understand.
    pub(crate) reason: String,
    /// The service, as they know it.
    pub(crate) service: String,
    /// When it was, as `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) when: String,
    /// Who they are.
    pub(crate) requester: String,
}

#[derive(Template)]
#[template(path = "http/pages/ask.html")]
struct Form<'a> {
    tab: Tab,
    view: &'a View,
}

/// The form.
pub(crate) fn render(view: &View) -> String {
    show(&Form {
        tab: Tab::Ask,
        view,
    })
}

#[derive(Template)]
#[template(path = "http/pages/asked.html")]
struct Asked<'a> {
    tab: Tab,
    status_url: &'a str,
}

/// Thanks, with the address at which to hear what became of it: made by us, never what a person entered.
pub(crate) fn render_asked(status_url: &str) -> String {
    show(&Asked {
        tab: Tab::Ask,
        status_url,
    })
}

#[cfg(test)]
mod tests {
    use super::{Entered, View, render, render_asked};

    #[test]
    fn only_the_reason_is_required() {
        let html = render(&View::default());
        assert_eq!(html.matches(" required").count(), 1);
        let reason = html
            .split("name=\"reason\"")
            .nth(1)
            .and_then(|rest| rest.split('>').next());
        assert!(reason.is_some_and(|attributes| attributes.contains("required")));
    }

    #[test]
    fn what_was_entered_comes_back_as_text() {
        let entered = Entered {
            reason: "</textarea><script>x</script>".to_owned(),
            service: "\" autofocus".to_owned(),
            ..Entered::default()
        };
        let fault = Some("The time is not one.".to_owned());
        let html = render(&View {
            services: vec!["checkout".to_owned()],
            entered,
            fault,
        });
        assert!(
            !html.contains("<script>") && !html.contains("value=\"\" autofocus"),
            "{html}"
        );
        assert!(
            html.contains("The time is not one.") && html.contains("<option value=\"checkout\">")
        );
    }

    #[test]
    fn thanks_come_with_a_link() {
        assert!(render_asked("/incidents/i-1").contains("href=\"/incidents/i-1\""));
    }
}
