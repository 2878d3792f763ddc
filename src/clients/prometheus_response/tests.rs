#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::{query, rules};
use crate::clients::error::ClientError;
use crate::clients::exchange_times::ExchangeTimes;
use crate::clients::http::ResponseHead;
use crate::clients::query_response::QueryResponse;
use crate::clients::redaction::Secrets;

fn read<T>(
    read: fn(&ResponseHead, &[u8]) -> Result<T, ClientError>,
    status: u16,
    text: &str,
) -> Result<T, ClientError> {
    let times = ExchangeTimes {
        sent: Instant::now(),
        received: Instant::now(),
        server_time: None,
    };
    let head = ResponseHead {
        status,
        headers: HeaderMap::new(),
        times,
        secrets: Secrets::default(),
    };
    read(&head, text.as_bytes())
}

fn answer(text: &str) -> QueryResponse {
    read(query, 200, text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

/// Values of each series, with their timestamps in milliseconds.
fn points(answer: &QueryResponse) -> Vec<Vec<(i64, f64)>> {
    let of = |series: &super::Series| {
        series
            .points
            .iter()
            .map(|(at, value)| (at.timestamp_millis(), *value))
            .collect()
    };
    answer.series.iter().map(of).collect()
}

/// Result of a successful query.
fn success(kind: &str, result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
}

#[track_caller]
fn check_fault(status: u16, text: &str, expected: &str) {
    let fault = read(query, status, text).unwrap_err();
    let told = format!("{fault:?} {fault}");
    assert!(
        told.contains(expected),
        "{text}\nexpected {expected}\nfound {told}"
    );
}

#[test]
fn a_matrix_and_a_vector() {
    let text = success(
        "matrix",
        r#"[{"metric":{"__name__":"up","job":"a"},"values":[[1795417376,"1"],[1795417378.5,"0"],[1795417380.001,"1e-06"]]},
            {"metric":{},"values":[[1795417376,"+Inf"],[1795417377,"-Inf"],[1795417378,"NaN"]]}]"#,
    );
    let read = answer(&text);
    assert_eq!(read.series[0].labels["__name__"], "up");
    let values = points(&read);
    assert_eq!(
        values[0],
        [
            (1_795_417_376_000, 1.0),
            (1_795_417_378_500, 0.0),
            (1_795_417_380_001, 1e-6)
        ]
    );
    assert_eq!(
        values[1][..2],
        [
            (1_795_417_376_000, f64::INFINITY),
            (1_795_417_377_000, f64::NEG_INFINITY)
        ]
    );
    assert!(values[1][2].1.is_nan() && read.series[1].labels.is_empty());

    let one = answer(&success(
        "vector",
        r#"[{"metric":{"job":"ü\"\\"},"value":[1795417376.781,"2"]}]"#,
    ));
    assert_eq!(
        (points(&one), one.series[0].labels["job"].as_str()),
        (vec![vec![(1_795_417_376_781, 2.0)]], "ü\"\\")
    );
}

#[test]
fn empty_scalar_and_string_results() {
    assert_eq!(answer(&success("vector", "[]")).series, []);
    assert_eq!(answer(&success("matrix", "[]")).series, []);
    let scalar = answer(&success("scalar", r#"[1795417376,"3"]"#));
    assert_eq!(
        (points(&scalar), scalar.series[0].labels.len()),
        (vec![vec![(1_795_417_376_000, 3.0)]], 0)
    );
    check_fault(
        200,
        &success("string", r#"[1795417376,"a"]"#),
        "the query returns a string",
    );
    check_fault(200, &success("tensor", "[]"), "unknown type, tensor");
}

#[test]
fn native_histograms_are_counted_and_left_out() {
    let histogram = r#"{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}"#;
    let text = success(
        "matrix",
        &format!(
            r#"[{{"metric":{{"a":"b"}},"histograms":[[1,{histogram}],[2,{histogram}]]}},
                {{"metric":{{"a":"c"}},"values":[[3,"1"]],"histograms":[[1,{histogram}]]}}]"#
        ),
    );
    let read = answer(&text);
    assert_eq!((read.histograms, read.series.len()), (3, 1));
    assert_eq!(
        read.warnings,
        ["left out: 3 samples that are native histograms"]
    );
    let one = answer(&success(
        "vector",
        &format!(r#"[{{"metric":{{}},"histogram":[1,{histogram}]}}]"#),
    ));
    assert_eq!((one.histograms, one.series.len()), (1, 0));
}

#[test]
fn promql_annotation_is_a_warning_and_other_warnings_mean_partial() {
    let with = |more: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[]}},{more}}}"#)
    };
    let remark = answer(&with(
        r#""warnings":["PromQL warning: bucket label \"le\" is missing"],"infos":["PromQL info: no counter"]"#,
    ));
    assert_eq!(
        remark.warnings,
        [
            "PromQL warning: bucket label \"le\" is missing",
            "PromQL info: no counter"
        ]
    );
    assert_eq!(
        answer(&with(r#""warnings":null,"isPartial":false"#)).warnings,
        [""; 0]
    );

    let data = r#""data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}"#;
    for (status, rest, expected) in [
        (
            200,
            r#""status":"success","warnings":["No StoreAPIs matched for this query"]"#,
            "No StoreAPIs matched",
        ),
        (
            200,
            r#""status":"success","isPartial":true"#,
            "marks the response as partial",
        ),
        (
            200,
            r#""status":"error","errorType":"internal","error":"a shard is gone""#,
            "a shard is gone",
        ),
        (
            500,
            r#""status":"error","errorType":"internal","error":"a shard is gone""#,
            "a shard is gone",
        ),
        (500, r#""status":"error""#, "marks the response as partial"),
    ] {
        let ClientError::Partial { why, rest } =
            read(query, status, &format!("{{{rest},{data}}}")).unwrap_err()
        else {
            panic!("not partial: {rest}")
        };
        assert!(why.contains(expected), "{why}");
        assert_eq!(points(&rest.unwrap()), [[(1000, 1.0)]]);
    }
    let lists = r#"{"status":"success","data":{"groups":[],"alerts":[]},"warnings":["ruler-1 does not answer"]}"#;
    let partial = ClientError::Partial {
        why: "ruler-1 does not answer".to_owned(),
        rest: None,
    };
    assert_eq!(read(rules, 200, lists).unwrap_err(), partial);
}

#[test]
fn errors_are_classified_by_status_and_type() {
    let error = |kind: &str, text: &str| {
        format!(r#"{{"status":"error","errorType":"{kind}","error":"{text}"}}"#)
    };
    let parse = error("bad_data", "1:5: parse error: unclosed left parenthesis");
    let message = "1:5: parse error: unclosed left parenthesis".to_owned();
    let refused = ClientError::Refused {
        status: 400,
        error_type: "bad_data".to_owned(),
        message,
    };
    assert_eq!(read(query, 400, &parse).unwrap_err(), refused);
    assert_eq!(
        refused.to_string(),
        "bad_data: 1:5: parse error: unclosed left parenthesis"
    );
    let execution = read(query, 422, &error("execution", "many-to-many matching")).unwrap_err();
    assert!(
        matches!(&execution, ClientError::Refused { status: 422, error_type, .. } if error_type == "execution")
    );

    check_fault(
        503,
        &error("timeout", "query timed out"),
        "Busy { retry_after: None, why: \"the server is busy (status 503): query",
    );
    check_fault(429, "too many requests", "Busy");
    check_fault(
        500,
        &error("internal", "disk"),
        "Unreachable(\"the server failed (status 500): disk\")",
    );
    check_fault(
        502,
        "<html>\n<body>Bad gateway</body>",
        "Unreachable(\"the server failed (status 502)\")",
    );
    check_fault(
        401,
        "Unauthorized\n",
        "Unauthorized(\"the server rejects the credentials (status 401): Unauthorized\")",
    );
    check_fault(403, "<html>", "Unauthorized");
    check_fault(
        404,
        "404 page not found\n",
        "there is no API at this address",
    );
    check_fault(
        302,
        "<a href=\"/graph\">Found</a>",
        "redirects to another address",
    );
    check_fault(
        200,
        r#"{"status":"error","errorType":"bad_data","error":"x"}"#,
        "Refused { status: 200, error_type: \"bad_data\"",
    );
}

#[test]
fn response_of_another_program_is_an_error() {
    check_fault(
        200,
        "",
        "Unreadable(\"this is not a response of the Prometheus API",
    );
    check_fault(200, "<html>\nLogin</html>", "it begins with \\\"<html>\\\"");
    check_fault(200, "{}", "missing field `status`");
    check_fault(200, "[]", "Unreadable");
    check_fault(200, r#"{"status":"success"}"#, "contains no data");
    check_fault(
        200,
        r#"{"status":"success","data":null}"#,
        "contains no data",
    );
    check_fault(
        200,
        r#"{"status":"success","data":{}}"#,
        "does not have the form of the API",
    );
    check_fault(
        200,
        &success("matrix", r#"[{"metric":{},"values":[[1,2]]}]"#),
        "does not have the form of the API",
    );
    check_fault(
        200,
        &success("matrix", r#"[{"metric":{},"values":[[1,"two"]]}]"#),
        "\\\"two\\\" is not a valid value",
    );
    check_fault(
        200,
        &success("matrix", r#"[{"metric":{},"values":[[1e300,"2"]]}]"#),
        "is not a valid time",
    );
    let whole = success(
        "matrix",
        r#"[{"metric":{"a":"b"},"values":[[1795417376,"1"]]}]"#,
    );
    for end in 0..whole.len() {
        assert!(
            matches!(
                read(query, 200, &whole[..end]),
                Err(ClientError::Unreadable(_))
            ),
            "cut at {end}"
        );
    }
    let deep = format!(
        r#"{{"status":"success","data":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(matches!(
        read(query, 200, &deep),
        Err(ClientError::Unreadable(_))
    ));
}

#[test]
fn alerting_rules_are_read() {
    let text = r#"{"status":"success","data":{"groups":[{"name":"g","file":"/r.yml","interval":0.5,"limit":0,"rules":[
        {"state":"firing","name":"Down","query":"up == 0","duration":600,"keepFiringFor":1.5,"labels":{"severity":"page"},
         "annotations":{},"alerts":[],"health":"ok","type":"alerting"},
        {"name":"Old","query":"up","duration":0,"type":"alerting"},
        {"name":"a:b","query":"sum(a)","health":"ok","type":"recording"}]}]}}"#;
    let found = read(rules, 200, text).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|rule| rule.name.as_str())
            .collect::<Vec<_>>(),
        ["Down", "Old"]
    );
    let down = &found[0];
    assert_eq!(
        (down.hold, down.keep_firing, down.interval),
        (
            Duration::from_mins(10),
            Duration::from_millis(1500),
            Duration::from_millis(500)
        )
    );
    assert_eq!(
        (down.group.as_str(), down.file.as_str(), down.query.as_str()),
        ("g", "/r.yml", "up == 0")
    );
    assert_eq!(
        (
            down.labels["severity"].as_str(),
            found[1].hold,
            found[1].labels.len()
        ),
        ("page", Duration::ZERO, 0)
    );
    assert!(read(rules, 200, &text.replace("600", "-1")).is_err());
}
