//! Lists of the API, page by page, and the links of the pages to older rows.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, World, alert, stamp, until, webhook};

/// More than a page has.
const INCIDENTS: usize = 620;

fn next(answer: &Answer) -> Option<String> {
    let link = answer.link.as_deref()?;
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    assert_eq!(relation, "; rel=\"next\"");
    Some(address.to_owned())
}

/// All rows of a list, with the sizes of its pages.
fn rows(world: &World, first: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut rows, mut sizes, mut path) = (Vec::new(), Vec::new(), Some(first.to_owned()));
    while let Some(address) = path {
        let answer = world.get(&address);
        assert_eq!(answer.status, 200, "{address}: {}", answer.body);
        let page = answer.json().as_array().unwrap().clone();
        sizes.push(page.len());
        rows.extend(page);
        path = next(&answer);
    }
    (rows, sizes)
}

fn distinct(rows: &[Value], key: &str) -> usize {
    let keys: BTreeSet<String> = rows.iter().map(|row| row[key].to_string()).collect();
    assert_eq!(keys.len(), rows.len(), "nothing is listed twice");
    keys.len()
}

/// A service with many incidents, each held, and many messages in quarantine.
fn filled() -> World {
    let mut world = World::new();
    world.write(
        "rules/rules.yaml",
        "criteria: [{name: any, on: degradation, longest: 1s, decision: hold}]\ncorrelation: {correlate_by: [service]}\n",
    );
    let settings = std::fs::read_to_string(world.path("afterword.yaml")).unwrap();
    let limits = "limits: {holds: 100000 per 1h, suggestions: 100000 per 1h, bundle_within: 0s}\n";
    world.write("afterword.yaml", &format!("{settings}{limits}"));
    world.start();
    let began = stamp(Duration::from_secs(60));
    for part in 0..INCIDENTS / 20 {
        let alerts: Vec<Value> = (0..20)
            .map(|number| alert("Slow", &format!("service-{part}-{number}"), &began))
            .collect();
        let answer = world.post("/ingest/alertmanager", &webhook(&alerts));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    for number in 0..INCIDENTS {
        let answer = world.post("/ingest/alertmanager", &format!("[{number}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    world.until_judged();
    world
}

#[test]
fn each_list_has_all_rows_over_its_pages() {
    let world = filled();
    let (incidents, sizes) = rows(&world, "/api/v1/incidents");
    assert_eq!(distinct(&incidents, "id"), INCIDENTS);
    assert_eq!(sizes, [500, 120]);
    let (open, sizes) = rows(&world, "/api/v1/incidents?open=true&limit=250");
    assert_eq!((open.len(), sizes), (INCIDENTS, vec![250, 250, 120]));
    until("all postmortems are open", PATIENCE, || {
        let (postmortems, _) = rows(&world, "/api/v1/postmortems?limit=99");
        (distinct(&postmortems, "id") == INCIDENTS).then_some(())
    });
    let (deliveries, sizes) = rows(&world, "/api/v1/deliveries");
    assert!(distinct(&deliveries, "key") >= INCIDENTS && sizes[0] == 500);
    let (quarantine, _) = rows(&world, "/api/v1/quarantine?open=true&source=alertmanager");
    assert_eq!(distinct(&quarantine, "position"), INCIDENTS);
    assert!(rows(&world, "/api/v1/suggestions").0.is_empty());

    // The pages lead to all of them.
    for (page, wanted) in [
        ("/incidents", INCIDENTS),
        ("/postmortems", INCIDENTS),
        ("/quarantine", INCIDENTS),
    ] {
        let (mut seen, mut path) = (BTreeSet::new(), Some(page.to_owned()));
        while let Some(address) = path {
            let body = world.get(&address).body;
            let link = format!("<a href=\"{page}/");
            let ids = body.split(&link).skip(1).map(|rest| {
                let id = rest.split('"').next().unwrap();
                id.to_owned()
            });
            seen.extend(ids);
            path = body
                .rfind(&format!("<a href=\"{page}?"))
                .filter(|_| body.contains(">Older "))
                .map(|place| {
                    let rest = &body[place + 9..];
                    rest[..rest.find('"').unwrap()].replace("&#38;", "&")
                });
        }
        assert_eq!(seen.len(), wanted, "{page}");
    }
    let overview = world.get("/").body;
    assert!(overview.contains(">More open incidents</a>"));

    for faulty in [
        "incidents?limit=0",
        "incidents?after=x",
        "postmortems?after=x",
        "deliveries?after=x",
        "quarantine?limit=-1",
        "suggestions?limit=many",
    ] {
        let answer = world.get(&format!("/api/v1/{faulty}"));
        assert_eq!(
            (answer.status, answer.json()["error"].is_string()),
            (400, true),
            "{faulty}: {}",
            answer.body
        );
    }
}

#[test]
fn page_of_large_incidents_is_bounded_in_bytes() {
    let world = World::started();
    let began = stamp(Duration::from_secs(60));
    let long = "x".repeat(4000);
    for number in 0..30 {
        let alerts: Vec<Value> = (0..60)
            .map(|name| {
                let mut alert = alert(&format!("A{name}"), &format!("service-{number}"), &began);
                alert["annotations"]["description"] = json!(long);
                alert
            })
            .collect();
        let answer = world.post("/ingest/alertmanager", &webhook(&alerts));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    world.until_judged();
    let first = world.get("/api/v1/incidents");
    let size = first.body.len();
    assert!(size < 5 << 20, "{size}");
    assert!(next(&first).is_some());
    let (incidents, sizes) = rows(&world, "/api/v1/incidents");
    assert_eq!(distinct(&incidents, "id"), 30);
    assert!(sizes.len() > 1, "{sizes:?}");
}
