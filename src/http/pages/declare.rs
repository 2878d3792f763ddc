//! `GET /declare`: a person says that there is an outage, or that one is over.

use askama::Template;

use super::{Tab, show};

/// What the form shows. Fields of `POST /declare`: `title`, `service`, `severity` (`critical`, `warning`), `status` (`firing`, `resolved`), `when`.
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
    /// What is the matter.
    pub(crate) title: String,
    /// The service.
    pub(crate) service: String,
    /// When it began or ended, as `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) when: String,
}

#[derive(Template)]
#[template(path = "http/pages/declare.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

/// The page.
pub(crate) fn render(view: &View) -> String {
    show(&Page {
        tab: Tab::Elsewhere,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{View, render};

    #[test]
    fn it_sends_words_that_the_model_reads() {
        let html = render(&View::default());
        for (field, values) in [
            ("severity", ["critical", "warning"]),
            ("status", ["firing", "resolved"]),
        ] {
            let options = html
                .split(&format!("name=\"{field}\""))
                .nth(1)
                .and_then(|rest| rest.split("</select>").next())
                .unwrap_or_default();
            for value in values {
                assert!(
                    options.contains(&format!("value=\"{value}\"")),
                    "{field} lacks {value}"
                );
            }
        }
    }
}
