//! Paged lists: `limit` and `after` of a request, and the address of the next page in the header
//! `Link`. A page is bounded in rows and in bytes.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::Error;

/// The most rows of a page of JSON.
pub(crate) const LIST_ROWS: usize = 500;
/// Size at which a page of JSON ends, in bytes; its last row may exceed it.
const LIST_BYTES: usize = 4 << 20;

/// Reads `limit`; without it, and above [`LIST_ROWS`], it is that.
pub(crate) fn limit(text: Option<&str>) -> Result<usize, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(LIST_ROWS);
    };
    let limit: Option<usize> = text.parse().ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| {
        Error::BadRequest(format!("`limit` must be a positive number, not {text:?}"))
    })?;
    Ok(limit.min(LIST_ROWS))
}

/// Reads the cursor `after`.
pub(crate) fn after<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        Error::BadRequest(format!(
            "`after` must be taken from the `Link` of the page before, not {text:?}"
        ))
    })
}

/// The address of a list with these parameters; empty ones are left out.
pub(crate) fn address(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some((*name, value.filter(|value| !value.is_empty())?)));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// The address of the next page of a web page.
pub(crate) fn older(path: &str, next: &impl std::fmt::Display) -> String {
    address(path, &[("after", Some(next.to_string().as_str()))])
}

/// A page of JSON under construction.
#[derive(Debug)]
pub(crate) struct JsonPage {
    body: Vec<u8>,
    rows: usize,
    limit: usize,
}

impl JsonPage {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            body: vec![b'['],
            rows: 0,
            limit,
        }
    }

    /// Adds a row; false once the page is full.
    pub(crate) fn push(&mut self, row: &impl Serialize) -> anyhow::Result<bool> {
        if self.rows > 0 {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, row)?;
        self.rows += 1;
        Ok(self.has_room())
    }

    /// True while another row may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.rows < self.limit && self.body.len() < LIST_BYTES
    }

    /// Adds rows, each with its cursor, as long as there is room. Returns the cursor of the last one
    /// if more are left, or if `rows` was cut.
    pub(crate) fn extend<C>(
        &mut self,
        rows: impl IntoIterator<Item = (C, impl Serialize)>,
        cut: bool,
    ) -> anyhow::Result<Option<C>> {
        let mut rows = rows.into_iter().peekable();
        while let Some((cursor, row)) = rows.next() {
            let room = self.push(&row)?;
            if rows.peek().is_none() {
                return Ok(cut.then_some(cursor));
            }
            if !room {
                return Ok(Some(cursor));
            }
        }
        Ok(None)
    }

    /// The response, with the address of the next page where there is one.
    pub(crate) fn respond(mut self, next: Option<&str>) -> Response {
        self.body.push(b']');
        let mut response = (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from(self.body),
        )
            .into_response();
        let link = next.and_then(|next| format!("<{next}>; rel=\"next\"").parse().ok());
        response
            .headers_mut()
            .extend(link.map(|link| (header::LINK, link)));
        response
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{JsonPage, LIST_BYTES, LIST_ROWS, address, limit};

    #[test]
    fn page_ends_at_its_limit_of_rows() {
        let mut page = JsonPage::new(2);
        let next = page.extend([(1, "a"), (2, "b"), (3, "c")], false).unwrap();
        assert_eq!((next, page.rows), (Some(2), 2));
        let mut page = JsonPage::new(2);
        assert_eq!(page.extend([(1, "a"), (2, "b")], false).unwrap(), None);
        assert_eq!(page.body, br#"["a","b""#);
    }

    #[test]
    fn page_ends_at_its_limit_of_bytes_and_has_one_row_at_least() {
        let large = "x".repeat(LIST_BYTES);
        let mut page = JsonPage::new(LIST_ROWS);
        let next = page.extend([(1, &large), (2, &large)], false).unwrap();
        assert_eq!((next, page.rows), (Some(1), 1));
    }

    #[test]
    fn limit_is_capped_and_must_be_positive() {
        assert_eq!(limit(None).unwrap(), LIST_ROWS);
        assert_eq!(limit(Some("9999")).unwrap(), LIST_ROWS);
        assert_eq!(limit(Some("7")).unwrap(), 7);
        assert!(limit(Some("0")).is_err() && limit(Some("x")).is_err());
    }

    #[test]
    fn address_keeps_what_was_asked() {
        assert_eq!(address("/a", &[("b", None), ("c", Some(""))]), "/a");
        assert_eq!(
            address("/a", &[("b", Some("1 2")), ("after", Some("3.x"))]),
            "/a?b=1+2&after=3.x"
        );
    }
}
