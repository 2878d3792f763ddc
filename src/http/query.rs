//! The query of a request, with faults in our own words.

use axum::extract;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::Error;
use crate::model::fault::nearest;

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read = extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|extract::Query(query)| Self(query))
            .map_err(|fault| Error::BadRequest(plain_words(&fault.body_text())))
    }
}

/// The library's message for people who do not know it.
fn plain_words(text: &str) -> String {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    let (name, fault) = text.split_once(": ").unwrap_or(("", text));
    // It puts names in backticks: the found one first, then the expected ones.
    let quoted: Vec<&str> = fault.split('`').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [found, known @ ..] if fault.starts_with("unknown field") => {
            format!("unknown parameter `{found}`{}", hint(found, known))
        }
        [found, known @ ..] if fault.starts_with("unknown variant") => {
            format!("`{name}` cannot be `{found}`{}", hint(found, known))
        }
        [found] if fault.starts_with("duplicate field") => {
            format!("the parameter `{found}` is given twice")
        }
        [found] if fault.starts_with("missing field") => {
            format!("the parameter `{found}` is missing")
        }
        ["true", "false"] => format!("`{name}` must be true or false"),
        _ if fault.starts_with("invalid digit") => format!("`{name}` must be a whole number"),
        _ if name.is_empty() => format!("the query cannot be read: {fault}"),
        _ => format!("`{name}` cannot be read: {fault}"),
    }
}

fn hint(found: &str, known: &[&str]) -> String {
    match (nearest(found, known.iter().copied()), known) {
        (Some(meant), _) => format!("; did you mean `{meant}`?"),
        (None, []) => String::new(),
        (None, known) => {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("; possible: {}", known.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use axum::extract::FromRequestParts;
    use axum::http::Request;
    use serde::Deserialize;

    use super::Query;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its faults are looked at")]
    struct Wanted {
        decision: Option<String>,
        open: Option<bool>,
        limit: Option<usize>,
    }

    #[tokio::test]
    async fn fault_of_a_query_names_the_parameter_in_plain_words() {
        for (query, words) in [
            (
                "decison=hold",
                "unknown parameter `decison`; did you mean `decision`?",
            ),
            (
                "zzz=1",
                "unknown parameter `zzz`; possible: `decision`, `open`, `limit`",
            ),
            ("open=maybe", "`open` must be true or false"),
            ("limit=many", "`limit` must be a whole number"),
            ("open=true&open=true", "the parameter `open` is given twice"),
        ] {
            let request = Request::get(format!("/?{query}")).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            let fault = Query::<Wanted>::from_request_parts(&mut parts, &())
                .await
                .unwrap_err();
            assert_eq!(fault.to_string(), words, "{query}");
        }
    }
}
