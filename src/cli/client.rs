//! Talking to a running service.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Longer than the service takes to show the effect of what a person says.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why the service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No answer, or none of an Afterword.
    #[error("{0}")]
    Unreachable(String),
    /// It answered, and said no.
    #[error("the service refused ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
}

/// Posts a JSON body.
pub(crate) async fn post(
    base: &str,
    token: Option<&str>,
    path: &str,
    body: &Value,
) -> Result<Value, ClientError> {
    request(Method::POST, base, token, path, Some(body)).await
}

/// Reads a path.
pub(crate) async fn get(base: &str, token: Option<&str>, path: &str) -> Result<Value, ClientError> {
    request(Method::GET, base, token, path, None).await
}

async fn request(
    method: Method,
    base: &str,
    token: Option<&str>,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ClientError> {
    let unreachable = |fault: &reqwest::Error| {
        let why = if fault.is_timeout() {
            "it does not answer"
        } else {
            "nothing answers there"
        };
        ClientError::Unreachable(format!(
            "the service at {base} cannot be reached ({why}): start it with `afterword serve`, or name its address with --url"
        ))
    };
    // A redirected POST can become a GET, and a proxy of the environment knows nothing of this machine's own addresses.
    let mut builder = crate::clients::tls::client_builder()
        .timeout(PATIENCE)
        .redirect(Policy::none());
    if ["://127.", "://localhost", "://[::1]"]
        .iter()
        .any(|own| base.contains(own))
    {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|fault| unreachable(&fault))?;
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.map_err(|fault| unreachable(&fault))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|fault| unreachable(&fault))?;
    let value = serde_json::from_str::<Value>(&text);
    if status.is_success() {
        return value.map_err(|_| {
            ClientError::Unreachable(format!(
                "what answers at {base} is no Afterword; name its address with --url"
            ))
        });
    }
    let told = value.ok().and_then(|value| {
        value
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    let message = told.unwrap_or_else(|| match status {
        StatusCode::UNAUTHORIZED => "show the token with --token or AFTERWORD_TOKEN".to_owned(),
        _ => text.chars().take(300).collect(),
    });
    Err(ClientError::Refused {
        status: status.as_u16(),
        message,
    })
}
