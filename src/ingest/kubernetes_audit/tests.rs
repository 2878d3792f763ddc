#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Reading, webhook};
use crate::ingest::message::{Headers, Message};
use crate::model::event::{ActorKind, Event, Fact, Intervention};
use crate::model::settings::LabelNames;
use crate::model::source::ServiceMapping;
use crate::model::time::Time;

fn read_as(
    body: &[u8],
    naming: &ServiceMapping,
) -> Result<Reading, crate::ingest::error::IngestFault> {
    let (names, headers) = (LabelNames::default(), Headers::default());
    let now: Time = "2026-11-23T12:00:00Z".parse().unwrap();
    webhook(
        &Message {
            source: "cluster",
            headers: &headers,
            body,
            names: &names,
            now,
        },
        naming,
        &BTreeSet::from(["system:serviceaccount:ops:break-glass".to_owned()]),
    )
}

fn read(items: &[Value]) -> Reading {
    let body = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items});
    read_as(body.to_string().as_bytes(), &ServiceMapping::default()).unwrap()
}

/// A request that a person makes of the Deployment checkout, with parts of it changed; null takes one away.
fn item(changes: &Value) -> Value {
    let mut item = json!({
        "level": "Request", "auditID": "a-1", "stage": "ResponseComplete", "verb": "patch",
        "requestURI": "/apis/apps/v1/namespaces/shop/deployments/checkout?fieldManager=kubectl-client",
        "user": {"username": "ada@example.com", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "deployments", "namespace": "shop", "name": "checkout", "apiGroup": "apps", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-23T11:40:02.104512Z", "stageTimestamp": "2026-11-23T11:40:02.120733Z",
    });
    for (key, value) in changes.as_object().unwrap() {
        item[key] = value.clone();
    }
    item
}

fn of(resource: &str, name: &str, subresource: &str) -> Value {
    json!({"resource": resource, "namespace": "shop", "name": name, "apiVersion": "v1", "subresource": subresource})
}

fn step(event: &Event) -> &Intervention {
    let Fact::Intervention(step) = &event.fact else {
        panic!("{event:?}")
    };
    step
}

/// `action service`, with `?` for an unknown service; the outcome, if it is not the usual one; `-`
/// for no step at all.
fn told(changes: &Value) -> String {
    let reading = read(&[item(changes)]);
    assert!(reading.faults.is_empty(), "{:?}", reading.faults);
    let Some(event) = reading.events().next() else {
        return "-".to_owned();
    };
    let mut text = format!(
        "{} {}",
        step(event).action,
        event.service.as_deref().unwrap_or("?")
    );
    let kind = event
        .actor
        .as_ref()
        .map_or(ActorKind::Unknown, |actor| actor.kind);
    for (holds, word) in [
        (step(event).dry_run, "dry-run"),
        (step(event).refused, "refused"),
        (kind != ActorKind::Human, "unknown"),
    ] {
        if holds {
            text.push(' ');
            text.push_str(word);
        }
    }
    text
}

#[test]
fn requests_are_classified_by_action() {
    let template = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-23T11:40:02Z"}}});
    let undo = json!([
        {"op": "replace", "path": "/spec/template", "value": {"spec": {}}},
        {"op": "replace", "path": "/metadata/annotations", "value": {"deployment.kubernetes.io/revision": "7"}},
    ]);
    let pod = "checkout-7998647bdf-phvq7";
    let user = |name: &str| json!({"username": name, "groups": ["system:authenticated"]});
    for (name, changes, expected) in [
        // Shells.
        (
            "exec by WebSocket",
            json!({"verb": "get", "objectRef": of("pods", pod, "exec"), "responseStatus": {"code": 101}}),
            "exec checkout",
        ),
        (
            "exec by SPDY",
            json!({"verb": "create", "objectRef": of("pods", pod, "exec"), "stage": "ResponseStarted"}),
            "exec checkout",
        ),
        (
            "attach",
            json!({"verb": "get", "objectRef": of("pods", pod, "attach")}),
            "attach checkout",
        ),
        (
            "a shell refused",
            json!({"verb": "get", "objectRef": of("pods", pod, "exec"), "responseStatus": {"code": 403}}),
            "exec checkout refused",
        ),
        (
            "debug",
            json!({"objectRef": of("pods", pod, "ephemeralcontainers")}),
            "debug checkout",
        ),
        // Rollouts.
        (
            "undo of a Deployment",
            json!({"requestObject": undo}),
            "rollback checkout",
        ),
        (
            "undo of a StatefulSet",
            json!({"objectRef": of("statefulsets", "db", ""), "requestObject": {"spec": {"template": {"$patch": "replace", "spec": {}}}}}),
            "rollback db",
        ),
        (
            "undo of a DaemonSet",
            json!({"objectRef": of("daemonsets", "agent", ""), "requestObject": {"spec": {"template": {"$patch": "replace"}}}}),
            "rollback agent",
        ),
        (
            "restart",
            json!({"requestObject": {"spec": {"template": template}}}),
            "restart checkout",
        ),
        (
            "restart by JSON patch",
            json!({"requestObject": [{"op": "add", "path": "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", "value": "x"}]}),
            "restart checkout",
        ),
        (
            "a manifest that was restarted once",
            json!({"requestObject": {"spec": {"replicas": 2, "template": template}}}),
            "patch checkout",
        ),
        (
            "an update of one that was",
            json!({"verb": "update", "requestObject": {"spec": {"template": template}}}),
            "patch checkout",
        ),
        (
            "pause",
            json!({"requestObject": {"spec": {"paused": true}}}),
            "pause checkout",
        ),
        (
            "resume",
            json!({"requestObject": {"spec": {"paused": null}}}),
            "resume checkout",
        ),
        // Scale.
        (
            "scale",
            json!({"objectRef": of("deployments", "checkout", "scale"), "requestObject": {"spec": {"replicas": 3}}}),
            "scale checkout",
        ),
        (
            "scale of old",
            json!({"verb": "update", "objectRef": of("deployments", "checkout", "scale")}),
            "scale checkout",
        ),
        (
            "scale by patch",
            json!({"requestObject": {"spec": {"replicas": 0}}}),
            "scale checkout",
        ),
        (
            "scale by JSON patch",
            json!({"requestObject": [{"op": "replace", "path": "/spec/replicas", "value": 5}]}),
            "scale checkout",
        ),
        // Pods and nodes.
        (
            "delete",
            json!({"verb": "delete", "objectRef": of("pods", pod, "")}),
            "delete checkout",
        ),
        (
            "delete of many",
            json!({"verb": "deletecollection", "objectRef": {"resource": "pods", "namespace": "shop"}}),
            "delete ?",
        ),
        (
            "evict",
            json!({"verb": "create", "objectRef": of("pods", pod, "eviction"), "responseStatus": {"code": 201}}),
            "evict checkout",
        ),
        (
            "evict refused",
            json!({"verb": "create", "objectRef": of("pods", pod, "eviction"), "responseStatus": {"code": 429}}),
            "evict checkout refused",
        ),
        (
            "cordon",
            json!({"objectRef": {"resource": "nodes", "name": "n1"}, "requestObject": {"spec": {"unschedulable": true}}}),
            "cordon ?",
        ),
        (
            "uncordon",
            json!({"objectRef": {"resource": "nodes", "name": "n1"}, "requestObject": {"spec": {"unschedulable": null}}}),
            "uncordon ?",
        ),
        (
            "cordon by JSON patch",
            json!({"objectRef": {"resource": "nodes", "name": "n1"}, "requestObject": [{"op": "add", "path": "/spec/unschedulable", "value": true}]}),
            "cordon ?",
        ),
        (
            "a job by hand",
            json!({"verb": "create", "objectRef": of("jobs", "migrate", "")}),
            "run migrate",
        ),
        // What the log leaves out.
        (
            "level Metadata",
            json!({"level": "Metadata"}),
            "patch checkout",
        ),
        (
            "cut off",
            json!({"annotations": {"audit.k8s.io/truncated": "true"}}),
            "patch checkout",
        ),
        (
            "an image",
            json!({"requestObject": {"spec": {"template": {"spec": {"containers": []}}}}}),
            "patch checkout",
        ),
        (
            "a setting",
            json!({"verb": "update", "objectRef": of("configmaps", "checkout", "")}),
            "patch ?",
        ),
        // Tried out, refused, without effect.
        (
            "dry run",
            json!({"requestURI": "/apis/apps/v1/x?dryRun=All&fieldManager=k", "requestObject": {"spec": {"replicas": 0}}}),
            "scale checkout dry-run",
        ),
        (
            "dry run of a delete",
            json!({"verb": "delete", "requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}}),
            "delete checkout dry-run",
        ),
        (
            "conflict",
            json!({"verb": "update", "responseStatus": {"code": 409}}),
            "patch checkout refused",
        ),
        (
            "forbidden",
            json!({"verb": "delete", "responseStatus": {"code": 403, "status": "Failure"}}),
            "delete checkout refused",
        ),
        (
            "no change",
            json!({"verb": "update", "requestObject": {"metadata": {"resourceVersion": "281"}}, "responseObject": {"metadata": {"resourceVersion": "281"}}}),
            "-",
        ),
        (
            "a change",
            json!({"verb": "update", "requestObject": {"metadata": {"resourceVersion": "281"}}, "responseObject": {"metadata": {"resourceVersion": "282"}}}),
            "patch checkout",
        ),
        // No steps.
        ("not begun", json!({"stage": "RequestReceived"}), "-"),
        ("a look", json!({"verb": "get"}), "-"),
        ("a list", json!({"verb": "list"}), "-"),
        ("a watch", json!({"verb": "watch"}), "-"),
        (
            "logs",
            json!({"verb": "get", "objectRef": of("pods", pod, "log")}),
            "-",
        ),
        (
            "a port",
            json!({"verb": "create", "objectRef": of("pods", pod, "portforward")}),
            "-",
        ),
        (
            "a status",
            json!({"objectRef": of("deployments", "checkout", "status")}),
            "-",
        ),
        ("a new Deployment", json!({"verb": "create"}), "-"),
        (
            "may I",
            json!({"verb": "create", "objectRef": {"resource": "selfsubjectaccessreviews", "apiGroup": "authorization.k8s.io"}}),
            "-",
        ),
        (
            "a lease",
            json!({"verb": "update", "objectRef": of("leases", "checkout", "")}),
            "-",
        ),
        (
            "a token",
            json!({"verb": "create", "objectRef": of("serviceaccounts", "checkout", "token")}),
            "-",
        ),
        (
            "no object",
            json!({"objectRef": null, "requestURI": "/healthz"}),
            "-",
        ),
        // Who.
        (
            "a service account",
            json!({"user": user("system:serviceaccount:argocd:argocd-application-controller")}),
            "-",
        ),
        ("a node", json!({"user": user("system:node:n1")}), "-"),
        (
            "a controller",
            json!({"user": user("system:kube-controller-manager")}),
            "-",
        ),
        (
            "the API server",
            json!({"user": user("system:apiserver")}),
            "-",
        ),
        (
            "a part of k3s",
            json!({"user": user("system:k3s-supervisor")}),
            "-",
        ),
        (
            "system:admin",
            json!({"user": user("system:admin")}),
            "patch checkout",
        ),
        (
            "kubernetes-admin",
            json!({"user": user("kubernetes-admin")}),
            "patch checkout",
        ),
        (
            "masterclient",
            json!({"user": user("masterclient")}),
            "patch checkout",
        ),
        (
            "nobody",
            json!({"user": user("system:anonymous")}),
            "patch checkout unknown",
        ),
    ] {
        assert_eq!(told(&changes), expected, "{name}: {changes}");
    }
}

#[test]
fn of_two_names_the_actor_is_the_persons() {
    let who = |user: &str, other: &str| {
        let reading = read(&[item(
            &json!({"user": {"username": user}, "impersonatedUser": {"username": other}}),
        )]);
        reading
            .events()
            .next()
            .map(|event| event.actor.clone().unwrap().id)
    };
    let (proxy, ci) = (
        "system:serviceaccount:cattle-system:rancher",
        "system:serviceaccount:ci:deployer",
    );
    assert_eq!(
        who("ada", "system:admin").as_deref(),
        Some("kubernetes:ada")
    );
    assert_eq!(who("ada", ci).as_deref(), Some("kubernetes:ada"));
    assert_eq!(who(proxy, "bo").as_deref(), Some("kubernetes:bo"));
    assert_eq!(who(proxy, ci), None);
}

#[test]
fn two_stages_are_one_step_together_and_apart() {
    let pod = of("pods", "checkout-7998647bdf-phvq7", "exec");
    let started = item(
        &json!({"verb": "get", "objectRef": pod, "stage": "ResponseStarted", "responseStatus": {"code": 101}}),
    );
    let mut ended = started.clone();
    ended["stage"] = json!("ResponseComplete");
    ended["stageTimestamp"] = json!("2026-11-23T11:52:40.000001Z");
    assert_eq!(read(&[started.clone(), ended.clone()]).reports.len(), 1);
    assert_eq!(
        read(&[started]).reports[0].event.id,
        read(&[ended]).reports[0].event.id
    );
}

#[test]
fn repeated_refusal_is_reported_once_a_message() {
    let refused = |n: i32| {
        let when = format!("2026-11-23T11:40:{:02}Z", n * 5);
        let pod = of("pods", "checkout-7998647bdf-phvq7", "eviction");
        item(
            &json!({"auditID": format!("a-{n}"), "verb": "create", "objectRef": pod, "responseStatus": {"code": 429}, "requestReceivedTimestamp": when}),
        )
    };
    let events = read(&(0..10).map(refused).collect::<Vec<_>>()).into_events();
    assert_eq!(events.len(), 1);
    assert!(
        step(&events[0]).why.ends_with("answered 429"),
        "{}",
        step(&events[0]).why
    );
}

#[test]
fn services_are_those_of_the_settings_else_what_is_certain() {
    let patterns = [
        ("shop/checkout", "till"),
        ("infra/*", "platform"),
        ("nodes/*", "platform"),
        ("shop/db-*", "db"),
    ];
    let services = patterns
        .map(|(pattern, service)| (pattern.to_owned(), service.to_owned()))
        .to_vec();
    let naming = ServiceMapping {
        services,
        environment: Some("Stage".to_owned()),
    };
    for (resource, namespace, name, expected) in [
        (
            "pods",
            Some("shop"),
            "checkout-7998647bdf-phvq7",
            Some("till"),
        ),
        (
            "replicasets",
            Some("shop"),
            "checkout-7998647bdf",
            Some("till"),
        ),
        ("pods", Some("shop"), "db-0", Some("db")),
        ("pods", Some("infra"), "anything", Some("platform")),
        ("nodes", None, "worker-1", Some("platform")),
        (
            "pods",
            Some("other"),
            "cart-api-6f8b5d4c9-x2k4v",
            Some("cart-api"),
        ),
        // A name that may be a person's choice is not cut.
        ("pods", Some("other"), "cart-x2k4v", None),
        ("pods", Some("other"), "cart-0", None),
        ("pods", Some("other"), "cart-production-phvq7", None),
        ("pods", Some("other"), "-7998647bdf-phvq7", None),
        ("cronjobs", Some("other"), "backup", Some("backup")),
        ("jobs", Some("other"), "backup-28393440", Some("backup")),
        ("jobs", Some("other"), "backup-7", Some("backup-7")),
        ("configmaps", Some("other"), "cart", None),
    ] {
        let mut object = json!({"resource": resource, "name": name});
        if let Some(namespace) = namespace {
            object["namespace"] = json!(namespace);
        }
        let body =
            json!({"items": [item(&json!({"verb": "delete", "objectRef": object}))]}).to_string();
        let event = read_as(body.as_bytes(), &naming)
            .unwrap()
            .into_events()
            .remove(0);
        assert_eq!(
            event.service.as_deref(),
            expected,
            "{resource} {namespace:?} {name}"
        );
        assert_eq!(event.environment.as_deref(), Some("staging"));
    }
}

#[test]
fn one_bad_event_does_not_cost_the_others() {
    let bad = [
        json!(3),
        json!(null),
        json!([]),
        json!("x"),
        json!({"kind": 0}),
        item(&json!({"verb": 7})),
        item(&json!({"user": "ada"})),
        item(&json!({"objectRef": {"resource": 3}})),
        item(&json!({"requestReceivedTimestamp": "<ts>"})),
    ];
    let reading = read(&[&bad[..], &[item(&json!({"auditID": "good"}))]].concat());
    assert_eq!(reading.reports.len(), 1);
    let places: Vec<&str> = reading
        .faults
        .iter()
        .map(|fault| fault.path.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "items[0]",
            "items[1]",
            "items[2]",
            "items[3]",
            "items[4].verb",
            "items[5].verb",
            "items[6].user",
            "items[7].objectRef",
            "items[8].requestReceivedTimestamp"
        ]
    );
}

#[test]
fn bodies_of_another_shape_are_faults() {
    for body in [
        r#"{"kind": 0}"#,
        "[]",
        "",
        "{",
        r#"{"items": 7}"#,
        r#"{"items": {}}"#,
        "null",
        "\u{0}",
    ] {
        assert!(
            read_as(body.as_bytes(), &ServiceMapping::default()).is_err(),
            "{body}"
        );
    }
    for body in [
        r#"{"kind": "EventList", "items": null}"#,
        r#"{"kind": "EventList", "items": []}"#,
    ] {
        assert_eq!(
            read_as(body.as_bytes(), &ServiceMapping::default()).unwrap(),
            Reading::default()
        );
    }
    // One event alone, as some forwarders post it.
    let alone = read_as(
        item(&json!({})).to_string().as_bytes(),
        &ServiceMapping::default(),
    )
    .unwrap();
    assert_eq!(alone.reports.len(), 1);
}

#[test]
fn a_large_body_is_read_within_bounds() {
    // 400 events of 30 KB each, as a busy cluster sends them: one is a person's, and one has an
    // object too large to parse.
    let filler = "x".repeat(30_000);
    let mut items: Vec<Value> = (0..400)
        .map(|n| {
            let user = json!({"username": "system:serviceaccount:kube-system:deployment-controller"});
            item(&json!({"auditID": format!("r-{n}"), "user": user, "requestObject": {"data": {"x": filler}}, "responseObject": {"data": {"x": filler}}}))
        })
        .collect();
    items[200]["user"] = json!({"username": "ada"});
    let huge = "y".repeat(super::LONGEST);
    items.push(item(
        &json!({"auditID": "huge", "requestObject": {"spec": {"paused": true}, "data": huge}}),
    ));
    let reading = read(&items);
    let actions: Vec<&str> = reading
        .events()
        .map(|event| step(event).action.as_str())
        .collect();
    assert_eq!((actions, reading.faults.len()), (vec!["patch", "patch"], 0));
}

#[test]
fn texts_of_any_length_are_bounded() {
    let long = "n".repeat(100_000);
    let event = read(&[item(
        &json!({"user": {"username": long}, "objectRef": of("deployments", &long, "")}),
    )])
    .into_events()
    .remove(0);
    assert!(event.actor.as_ref().unwrap().id.chars().count() < 400);
    assert!(event.service.as_ref().unwrap().chars().count() <= 300);
    assert!(step(&event).why.chars().count() <= 300);
}

#[test]
fn break_glass_account_among_the_aliases_is_a_person() {
    let by = |name: &str| {
        let user = json!({"username": name, "groups": ["system:serviceaccounts", "system:serviceaccounts:ops"]});
        read(&[item(&json!({"user": user}))])
    };
    let taken = by("system:serviceaccount:ops:Break-Glass");
    let actor = taken.reports[0].event.actor.as_deref().unwrap();
    assert_eq!(
        (actor.id.as_str(), actor.kind),
        (
            "kubernetes:system:serviceaccount:ops:Break-Glass",
            ActorKind::Human
        )
    );
    assert_eq!(by("system:serviceaccount:ops:deployer").reports, []);
}

#[test]
fn panic_stage_is_no_certain_step() {
    for status in [json!(null), json!({"code": 500})] {
        let panicked = read(&[item(&json!({"stage": "Panic", "responseStatus": status}))]);
        let event = &panicked.reports[0].event;
        let Fact::Intervention(step) = &event.fact else {
            panic!("{event:?}")
        };
        assert_eq!((&event.actor, step.refused), (&None, false));
        assert!(step.why.contains("ada@example.com"), "{}", step.why);
    }
}
