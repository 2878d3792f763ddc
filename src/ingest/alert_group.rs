//! A group of alerts: the body of Alertmanager's webhook, which Grafana's has too, with fields of its own beside it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::alert_payload;
use super::alert_payload::AlertPayload;
use super::error::{MemberFault, Position};
use super::message::Message;
use super::reading::{Reading, RenewalFilter};
use super::replicas::Replicas;
use crate::model::event::{AlertStatus, Event};

/// The part of the body that is read; anything else may be there.
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

/// What one of the senders means beyond what both do.
pub(crate) struct Dialect {
    /// What the link to the sender is called.
    pub(crate) home: &'static str,
    /// Whether an alert is left out.
    pub(crate) left_out: fn(&AlertPayload<'_>) -> bool,
    /// What is put right of an event.
    pub(crate) put_right: fn(Event) -> Event,
}

impl AlertGroup<'_> {
    /// One event for each of `alerts`, without the firing ones that `renewed` takes.
    ///
    /// # Errors
    /// When `alerts` is no list.
    pub(crate) fn read(
        &self,
        alerts: &RawValue,
        message: &Message<'_>,
        renewed: &mut RenewalFilter<'_>,
        manner: &Dialect,
    ) -> Result<Reading, MemberFault> {
        let Message {
            source, names, now, ..
        } = *message;
        let home = string(self.external_url);
        let home = home.as_deref().map(|url| (manner.home, url));
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
        faults.extend(alert_payload::each(
            alerts,
            "alerts",
            |position: Position, mut sent: AlertPayload<'_>| {
                if (manner.left_out)(&sent) {
                    return Ok(());
                }
                let of_replica = sent.drop_labels(&names.ignored);
                let episode = alert_payload::episode(&sent, position, now)?;
                if of_replica {
                    replicas.note(reading.reports.len());
                } else if episode.status == AlertStatus::Firing
                    && sent.alert_ref(None).is_some_and(|alert| renewed(&alert))
                {
                    reading.renewed += 1;
                    return Ok(());
                }
                reading.push((manner.put_right)(alert_payload::event(
                    sent, episode, home, source, names, now,
                )));
                Ok(())
            },
        )?);
        replicas.fold(&mut reading);
        reading.faults = faults;
        Ok(reading)
    }
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}
