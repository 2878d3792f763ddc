//! HTTP client of a running service.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Request timeout, longer than the service takes to apply a report.
const PATIENCE: Duration = Duration::from_secs(15);

/// Error of a request to the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// No answer, or an answer from a program other than Afterword.
    #[error("{0}")]
    Unreachable(String),
    /// The service rejected the request.
    #[error("the service rejected the request ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Error message of the service.
        message: String,
    },
}

/// Posts a JSON body.
pub(crate) async fn post(
    base: &str,
    token: Option<&str>,
    path: &str,
    body: &Value,
) -> Result<Value, ServiceError> {
    request(Method::POST, base, token, path, Some(body)).await
}

/// Reads a path.
pub(crate) async fn get(
    base: &str,
    token: Option<&str>,
    path: &str,
) -> Result<Value, ServiceError> {
    request(Method::GET, base, token, path, None).await
}

async fn request(
    method: Method,
    base: &str,
    token: Option<&str>,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ServiceError> {
    let unreachable = |fault: &reqwest::Error| {
        let why = if fault.is_timeout() {
            "timeout"
        } else {
            "connection failed"
        };
        ServiceError::Unreachable(format!(
            "cannot reach the service at {base} ({why}): start it with `afterword serve`, or set its address with --url"
        ))
    };
    // A redirected POST can become a GET, and a proxy from the environment cannot reach loopback addresses.
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
            ServiceError::Unreachable(format!(
                "the server at {base} is not Afterword; set the address of the service with --url"
            ))
        });
    }
    let error = value.ok().and_then(|value| {
        value
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    let message = error.unwrap_or_else(|| match status {
        StatusCode::UNAUTHORIZED => {
            "a token is required: use --token or AFTERWORD_TOKEN".to_owned()
        }
        _ => text.chars().take(300).collect(),
    });
    Err(ServiceError::Refused {
        status: status.as_u16(),
        message,
    })
}
