use super::{Aggregation, BinaryOperator, Grouping, PromqlQuery, parse_query};
use crate::model::labels::Labels;

fn query(text: &str) -> PromqlQuery {
    let understood = parse_query(text);
    assert_eq!(understood.doubt, None, "{text}");
    understood
        .of_samples
        .unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn refused(text: &str, why: &str) {
    let told = parse_query(text).of_samples.expect_err(text);
    assert!(told.contains(why), "{text}: {told}");
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_samples_can_answer_is_read() {
    let PromqlQuery::Ratio { of, to, agree } = query(
        r#"sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[1m30s]))"#,
    ) else {
        panic!("no ratio")
    };
    assert_eq!(agree, Grouping::Without(Vec::new()));
    assert_eq!((of.looks_back(), to.looks_back()), (300, 90));
    let PromqlQuery::Fold {
        how: Aggregation::Sum,
        of,
        groups,
    } = *of
    else {
        panic!("no sum")
    };
    assert_eq!(groups, Grouping::By(Vec::new()));
    let PromqlQuery::Change {
        of,
        per_second: true,
        ..
    } = *of
    else {
        panic!("no rate")
    };
    assert!(
        of.selects(&labels(&[("code", "503")]))
            && !of.selects(&labels(&[("code", "200")]))
            && !of.selects(&labels(&[]))
    );

    let quantile =
        query(r#"histogram_quantile(0.99, sum by (le, instance) (increase(seconds_bucket[10m])))"#);
    assert!(matches!(quantile, PromqlQuery::Quantile { share, .. } if (share - 0.99).abs() < 1e-9));
    assert_eq!(quantile.selectors()[0].name, "seconds_bucket");

    let scaled = query("1 - (free / on(device) size)");
    let PromqlQuery::Scaled {
        how: BinaryOperator::Subtract,
        number_first: true,
        of,
        ..
    } = scaled
    else {
        panic!("{scaled:?}")
    };
    assert!(
        matches!(*of, PromqlQuery::Ratio { agree: Grouping::By(names), .. } if names == ["device"])
    );
    assert_eq!(query(r#"{__name__="a", b!="c"}"#).selectors()[0].name, "a");
}

#[test]
fn query_beyond_the_subset_names_the_reason() {
    refused("topk(3, a)", "`topk` needs a Prometheus");
    refused("irate(a[5m])", "`irate` needs");
    refused("a + b", "`+` between two metrics");
    refused("a / on(c) group_left b", "group_left");
    refused("a > 3", "under `degraded`");
    refused("a[5m]", "a range of samples");
    refused("rate(sum(a)[5m:1m])", "rate of anything but a selector");
    refused("a offset 5m", "`offset`");
    refused(r#"{job="a"}"#, "does not name its metric");
    refused("3", "has no metric");
    refused(
        &format!("{}a{}", "(".repeat(40), ")".repeat(40)),
        "nested this deep",
    );
}

#[test]
fn invalid_promql_is_a_warning() {
    let understood = parse_query("rate(a[5m)");
    assert!(understood.doubt.is_some() && understood.of_samples.is_err());
    assert!(parse_query(&"(".repeat(9_000)).doubt.is_some());
    assert!(parse_query(&"(".repeat(8_000)).doubt.is_some());
}
