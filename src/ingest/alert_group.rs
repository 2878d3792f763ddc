//! The alert group of Alertmanager's webhook, which Grafana's webhook extends.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::alert_payload;
use super::alert_payload::AlertPayload;
use super::error::{MemberFault, MemberPosition};
use super::message::Message;
use super::reading::{Reading, RenewalFilter};
use super::replicas::Replicas;
use crate::model::event::{AlertStatus, Event};

/// The fields that are read; others are ignored.
#[derive(Deserialize)]
pub(crate) struct AlertGroup<'a> {
    #[serde(borrow)]
    pub(crate) version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) alerts: Option<&'a RawValue>,
    #[serde(borrow)]
    receiver: Option<&'a RawValue>,
    #[serde(borrow, rename = "externalURL")]
    external_url: Option<&'a RawValue>,
    #[serde(borrow, rename = "truncatedAlerts")]
    truncated_alerts: Option<&'a RawValue>,
}

/// Differences between the senders of alert groups.
pub(crate) struct Dialect {
    /// Title of the link to the sender.
    pub(crate) link_title: &'static str,
    /// Tests whether an alert is ignored.
    pub(crate) is_ignored: fn(&AlertPayload<'_>) -> bool,
    /// Corrects an event.
    pub(crate) correct: fn(Event) -> Event,
}

impl AlertGroup<'_> {
    /// Parses each of `alerts`, without the firing ones that `renewed` takes.
    ///
    /// # Errors
    /// When `alerts` is no list.
    pub(crate) fn read(
        &self,
        alerts: &RawValue,
        message: &Message<'_>,
        renewed: &mut RenewalFilter<'_>,
        dialect: &Dialect,
    ) -> Result<Reading, MemberFault> {
        let Message {
            source, names, now, ..
        } = *message;
        let home = string(self.external_url);
        let home = home.as_deref().map(|url| (dialect.link_title, url));
        let mut reading = Reading {
            receiver: string(self.receiver),
            ..Reading::default()
        };
        let mut faults: Vec<MemberFault> = Vec::new();
        match self
            .truncated_alerts
            .map(|raw| serde_json::from_str(raw.get()))
        {
            Some(Ok(truncated)) => reading.truncated = truncated,
            Some(Err(_)) => faults.push(MemberFault {
                index: None,
                path: "truncatedAlerts".to_owned(),
                message: "expected a whole number, zero or more; read as 0".to_owned(),
            }),
            None => {}
        }
        let mut replicas = Replicas::default();
        faults.extend(alert_payload::for_each_alert(
            alerts,
            "alerts",
            |position: MemberPosition, mut sent: AlertPayload<'_>| {
                if (dialect.is_ignored)(&sent) {
                    return Ok(());
                }
                let of_replica = sent.drop_labels(&names.ignored);
                let episode = alert_payload::episode(&sent, position, now)?;
                if of_replica {
                    replicas.mark(reading.reports.len());
                } else if episode.status == AlertStatus::Firing
                    && sent.alert_ref(None).is_some_and(|alert| renewed(&alert))
                {
                    reading.renewed += 1;
                    return Ok(());
                }
                reading.push((dialect.correct)(alert_payload::event(
                    sent, episode, home, source, names, now,
                )));
                Ok(())
            },
        )?);
        replicas.merge(&mut reading);
        reading.faults = faults;
        Ok(reading)
    }
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}
