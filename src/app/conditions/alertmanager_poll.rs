//! Poller of the Alertmanager API: renews the alerts of open incidents and reports changes that its
//! webhook missed.

use std::sync::Arc;
use std::time::Duration;

use super::clock_skew::Skew;
use super::task::MetricsTask;
use crate::app::sync::blocking;
use crate::clients::alertmanager::AlertmanagerClient;
use crate::clients::credentials::ServerAccess;
use crate::clients::error::ClientError;
use crate::config::api::AlertmanagerApi;
use crate::config::sources::Source;
use crate::ingest::alertmanager_api::{AlertmanagerState, PollTime};

/// Polls at the configured interval, with backoff after faults.
pub(crate) async fn poll_loop(
    task: MetricsTask,
    source: Source,
    api: AlertmanagerApi,
    mut client: AlertmanagerClient,
) {
    let ignored = source.labels.map(|names| names.ignored).unwrap_or_default();
    let every = Duration::from_secs(api.every.unsigned_abs());
    let (mut listing, mut attempts) = (AlertmanagerState::default(), 0);
    loop {
        let wait = match poll(&task, &client, &mut listing, &ignored).await {
            Ok(()) => {
                attempts = 0;
                task.record_poll(Ok(()));
                every
            }
            Err(fault) => {
                task.record_poll(Err(fault.to_string()));
                if let Some(Ok(anew)) = task
                    .reread_api_credentials(&fault)
                    .await
                    .map(|metrics_access| AlertmanagerClient::new(&api, &metrics_access))
                {
                    client = anew;
                }
                attempts += 1;
                fault
                    .retry_delay(attempts, &task.name)
                    .to_std()
                    .unwrap_or(every)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn poll(
    task: &MetricsTask,
    client: &AlertmanagerClient,
    listing: &mut AlertmanagerState,
    ignored: &[String],
) -> Result<(), ClientError> {
    // Read before the request: an alert that arrives while it runs may be missing from the
    // response.
    let (monitor, name) = (Arc::clone(&task.monitor), task.name.clone());
    let held = blocking(move || monitor.open_alerts(&name))
        .await
        .unwrap_or_default();
    let (answers, heard) = client.fetch_state().await?;
    let ours = task.now();
    let at = PollTime {
        ours,
        theirs: Skew::of(&heard, ours).to_theirs(ours),
    };
    let looked = listing
        .read(&answers, &held, &task.name, ignored, at)
        .map_err(|fault| ClientError::Unreadable(fault.to_string()))?;
    task.monitor.apply_poll(&task.name, looked, ours).await;
    Ok(())
}

impl MetricsTask {
    /// Records the result of a poll.
    fn record_poll(&self, heard: Result<(), String>) {
        let now = self.now();
        if self
            .monitor
            .recorded()
            .record_request(&self.name, "api", now, heard.clone())
        {
            let context = format!("the API of source `{}`", self.name);
            self.monitor.core.faults.record(&context, heard);
        }
    }

    /// Reads the credential files again after the server rejected the credentials. `None`: it was
    /// another fault, or they cannot be read.
    async fn reread_api_credentials(&self, fault: &ClientError) -> Option<ServerAccess> {
        if !matches!(fault, ClientError::Unauthorized(_)) {
            return None;
        }
        let (settings, name) = (Arc::clone(&self.settings), self.name.clone());
        blocking(move || settings.reload_api_access(&name))
            .await
            .ok()?
            .ok()?
    }
}
