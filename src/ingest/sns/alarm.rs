//! A CloudWatch alarm on one metric, on an expression over several, or on other alarms.
//!
//! A message reports a change of state, and an episode has no id: leaving `ALARM` ends the open
//! episode of that alarm. `INSUFFICIENT_DATA` is not a recovery, and going from there to `OK` ends
//! what was unknown.

use serde_json::Value;

use crate::ingest::error::MemberFault;
use crate::ingest::json_fields;
use crate::ingest::json_fields::{
    VendorAlert, fault, prose, required_text, single_line, text, text_at, value_at,
};
use crate::ingest::message::Message;
use crate::ingest::reading::{Reading, Reported, Start};
use crate::ingest::{labels, tags, time};
use crate::model::event::{AlertStatus, EndReason, Fact, Link, Note, Severity};
use crate::model::labels::{LabelSet, Labels};
use crate::model::time::Time;

/// Dimensions that name a service, if the source's `labels` match none.
const SERVICES: [&str; 3] = ["ServiceName", "FunctionName", "ApiName"];

pub(crate) fn read(
    message: &Message<'_>,
    reading: &mut Reading,
    alarm: &Value,
    topic: Option<&str>,
) -> Result<(), MemberFault> {
    let name = single_line(&required_text(
        alarm,
        "AlarmName",
        "CloudWatch always gives it.",
    )?);
    let changed = changed(alarm).unwrap_or_else(|fault| {
        reading.faults.push(fault);
        None
    });
    // Without a stated time, the start may be a known one.
    let dated = changed.is_some();
    let changed = changed.unwrap_or(message.now);
    let before = text(alarm, "OldStateValue").unwrap_or_default();
    let (status, end_reason) = match (text(alarm, "NewStateValue").unwrap_or_default(), before) {
        ("ALARM", _) => (AlertStatus::Firing, EndReason::default()),
        ("OK", _) => (AlertStatus::Resolved, EndReason::Recovered),
        ("INSUFFICIENT_DATA", "OK") => {
            // It had not fired, so its state is unknown but no alert ends.
            let dimensions: LabelSet = dimensions(alarm).into();
            let fact = Fact::Note(Note {
                text: format!("The alarm \"{name}\" has no data"),
            });
            reading.push(json_fields::event(
                message,
                changed,
                service(&dimensions, message).as_deref(),
                fact,
            ));
            return Ok(());
        }
        ("INSUFFICIENT_DATA", _) => (AlertStatus::Resolved, EndReason::NoData),
        _ => {
            return Err(fault(
                "NewStateValue",
                "expected ALARM, OK or INSUFFICIENT_DATA",
            ));
        }
    };
    let dimensions = dimensions(alarm);
    let mut annotations = dimensions.clone();
    annotations.extend(
        text(alarm, "AlarmDescription").map(|text| ("description".to_owned(), prose(text))),
    );
    annotations
        .extend(text(alarm, "NewStateReason").map(|text| ("summary".to_owned(), prose(text))));
    annotations.extend(text(alarm, "AlarmRule").map(|rule| ("rule".to_owned(), prose(rule))));
    annotations.extend(metric(alarm).map(|metric| ("metric".to_owned(), single_line(&metric))));
    let told = VendorAlert {
        labels: identity(alarm, &name, topic),
        links: console(alarm, &name).into_iter().collect(),
        name,
        status,
        annotations,
        // An end may be reported of an alarm that never fired here, and must not raise the
        // severity.
        severity: Some(if status == AlertStatus::Firing {
            severity(alarm, message)
        } else {
            Severity::Unknown
        }),
        starts_at: changed,
        ends_at: (status == AlertStatus::Resolved).then_some(changed),
        end_reason,
    };
    let mut event = told.event(message);
    let dimensions: LabelSet = dimensions.into();
    tags::place(&mut event, &dimensions, message);
    event.service = event
        .service
        .or_else(|| service(&dimensions, message).map(Into::into));
    let start = Start::stated_if(dated && status == AlertStatus::Firing);
    reading.reports.push(Reported::new(event, start));
    Ok(())
}

/// `2019-02-15T23:53:45.093+0000`: RFC 3339 but for the colon in its offset.
fn changed(alarm: &Value) -> Result<Option<Time>, MemberFault> {
    let Some(text) = text(alarm, "StateChangeTime") else {
        return Ok(None);
    };
    let mended = match text
        .len()
        .checked_sub(5)
        .and_then(|at| text.split_at_checked(at))
    {
        Some((before, offset))
            if offset.starts_with(['+', '-'])
                && offset.bytes().skip(1).all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{before}{}:{}", &offset[..3], &offset[3..])
        }
        _ => text.to_owned(),
    };
    time::parse(&mended)
        .map(Some)
        .map_err(|message| fault("StateChangeTime", message))
}

fn identity(alarm: &Value, name: &str, topic: Option<&str>) -> Labels {
    let mut labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
    labels.extend(
        text_at(alarm, "AWSAccountId").map(|account| ("account".to_owned(), single_line(&account))),
    );
    // `Region` is a display name such as "EU (Ireland)". Alarms act on topics of their own region
    // only.
    let region = arn(alarm)
        .map(|arn| arn.region)
        .or_else(|| topic?.split(':').nth(3))
        .filter(|region| !region.is_empty());
    labels.extend(region.map(|region| ("region".to_owned(), single_line(region))));
    labels
}

/// The parts of `AlarmArn`: `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`.
struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
}

fn arn(alarm: &Value) -> Option<Arn<'_>> {
    let mut parts = text(alarm, "AlarmArn")?.split(':');
    let (Some("arn"), Some(partition), Some("cloudwatch"), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    (is_name(region) && is_name(partition)).then_some(Arn { partition, region })
}

/// Link to the alarm in the console of its partition and region.
fn console(alarm: &Value, name: &str) -> Option<Link> {
    let Arn { partition, region } = arn(alarm)?;
    let host = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let name = name.replace('+', "%20");
    Some(Link {
        title: "CloudWatch".to_owned(),
        url: format!("https://{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"),
    })
}

/// The dimensions of the metric, or those on which all metrics of an expression agree.
fn dimensions(alarm: &Value) -> Labels {
    let list = |value: &Value, path: &str| {
        value_at(value, path)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let metrics = list(alarm, "Trigger.Metrics");
    let inside = metrics
        .iter()
        .flat_map(|metric| list(metric, "MetricStat.Metric.Dimensions"));
    let mut found: std::collections::BTreeMap<String, Option<String>> =
        std::collections::BTreeMap::new();
    for dimension in list(alarm, "Trigger.Dimensions").into_iter().chain(inside) {
        let (Some(name), Some(value)) = (text(&dimension, "name"), text(&dimension, "value"))
        else {
            continue;
        };
        let value = single_line(value);
        let kept = found
            .entry(single_line(name))
            .or_insert_with(|| Some(value.clone()));
        if kept.as_deref() != Some(&value) {
            *kept = None;
        }
    }
    found
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn service(dimensions: &LabelSet, message: &Message<'_>) -> Option<String> {
    tags::service(dimensions, message).or_else(|| {
        SERVICES
            .iter()
            .find_map(|name| dimensions.get(name))
            .map(str::to_owned)
    })
}

/// Severity from the alarm's name, as in `prod-checkout-5xx-critical`. Words that may describe the
/// measurement, such as `high` and `error`, count only if the settings list them.
fn severity(alarm: &Value, message: &Message<'_>) -> Severity {
    const WORDS: [&str; 7] = [
        "critical", "crit", "page", "warning", "warn", "info", "fatal",
    ];
    let name = text(alarm, "AlarmName").unwrap_or_default().to_lowercase();
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let ranked = |word: &str| {
        ["p", "sev"].iter().any(|rank| {
            matches!(
                word.strip_prefix(rank),
                Some("0" | "1" | "2" | "3" | "4" | "5")
            )
        })
    };
    let mut clear = words.filter(|word| {
        WORDS.contains(word) || ranked(word) || message.names.severities.contains_key(*word)
    });
    clear
        .find_map(|word| labels::severity_word(word, message.names))
        .unwrap_or_default()
}

/// `AWS/ApplicationELB HTTPCode_ELB_5XX_Count`
fn metric(alarm: &Value) -> Option<String> {
    Some(format!(
        "{} {}",
        text(alarm, "Trigger.Namespace")?,
        text(alarm, "Trigger.MetricName")?
    ))
}
