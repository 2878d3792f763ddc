//! Command-line options shared by several commands.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct SettingsFile {
    /// Settings file; by default afterword.yaml in the current directory, if it exists.
    #[arg(long, env = "AFTERWORD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// Address and credentials of the running service, shared by the client commands.
#[derive(Debug, Args)]
pub(crate) struct ServiceConnection {
    /// Address of the service.
    #[arg(long, env = "AFTERWORD_URL", default_value = "http://127.0.0.1:9099")]
    pub(crate) url: String,
    /// Access token, if the service has `access:` configured.
    #[arg(long, env = "AFTERWORD_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Print the answer as JSON.
    #[arg(long, value_parser = ["json"], value_name = "json")]
    pub(crate) format: Option<String>,
}
