//! End to end: a real Prometheus sees a service fail and recover; a postmortem opens and an invite
//! is written, even when processes are killed meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Http, PATIENCE, Page, World, alert, pause, repository, stamp, until, webhook,
};
use crate::rng::Rng;

/// How alerts come to us.
#[derive(Clone, Copy)]
enum Way {
    /// Prometheus, Alertmanager, its webhook.
    Webhook,
    /// Prometheus takes us for an Alertmanager.
    Straight,
}

#[test]
fn outage_through_alertmanager_opens_a_postmortem() {
    let (mut world, page) = watched(Way::Webhook);
    page.set_up(false);
    until_draft(&world);
    page.set_up(true);
    let incident = until_closed(&world);
    assert_one_of_each(&mut world, &incident);
}

#[test]
fn outage_straight_from_prometheus_opens_a_postmortem() {
    let (mut world, page) = watched(Way::Straight);
    page.set_up(false);
    until_draft(&world);
    page.set_up(true);
    let incident = until_closed(&world);
    assert_one_of_each(&mut world, &incident);
}

#[test]
fn outage_through_alertmanager_survives_twenty_kills() {
    killed_twenty_times(Way::Webhook);
}

#[test]
fn outage_straight_from_prometheus_survives_twenty_kills() {
    killed_twenty_times(Way::Straight);
}

/// An outage of ten kills at least, then a recovery of ten more, while somebody posts alerts of other services all along.
fn killed_twenty_times(way: Way) {
    let mut dice = Rng::new();
    let (mut world, page) = watched(way);
    let poster = Poster::start(world.http.clone());
    let mut kill = |world: &mut World| {
        pause(Duration::from_millis(20 + dice.roll() % 900));
        world.kill();
        world.start();
    };
    page.set_up(false);
    for _ in 0..10 {
        kill(&mut world);
    }
    until_draft(&world);
    page.set_up(true);
    for _ in 0..10 {
        kill(&mut world);
    }
    let acknowledged = poster.stop();
    assert!(
        acknowledged.len() > 20,
        "only {} alerts were acknowledged",
        acknowledged.len()
    );
    let incident = until_closed(&world);
    until(
        "every acknowledged alert belongs to an incident",
        PATIENCE,
        || acknowledged.is_subset(&world.alerts_kept()).then_some(()),
    );
    assert_one_of_each(&mut world, &incident);
}

/// Afterword, and Prometheus with or without Alertmanager, watching a page that is up.
fn watched(way: Way) -> (World, Page) {
    let page = Page::serve();
    let mut world = World::started();
    let alerts_to = match way {
        Way::Webhook => world.start_alertmanager(),
        Way::Straight => world.port,
    };
    world.start_prometheus(&page, alerts_to);
    (world, page)
}

fn until_draft(world: &World) {
    until(
        "the criterion's five seconds pass and a draft opens",
        PATIENCE,
        || (!world.files("postmortems", ".md").is_empty()).then_some(()),
    );
    assert_eq!(
        world.files("invites", ".ics"),
        [""; 0],
        "an invite before the service recovered"
    );
}

/// The one incident that is held, once nothing can join it any more and its invite is written.
fn until_closed(world: &World) -> Value {
    let closed = until("the incident closes", PATIENCE, || {
        let held: Vec<Value> = world
            .incidents()
            .into_iter()
            .filter(|incident| incident["decision"] == "hold")
            .collect();
        assert!(held.len() < 2, "more than one incident is held: {held:#?}");
        held.into_iter()
            .next()
            .filter(|incident| incident["phase"] == "closed")
    });
    until("the invite is written", PATIENCE, || {
        (!world.files("invites", ".ics").is_empty()).then_some(())
    });
    world.incident(closed["id"].as_str().unwrap())
}

/// One draft, one invite that a calendar library can read, one page that says why. Still so after a restart.
fn assert_one_of_each(world: &mut World, incident: &Value) {
    assert_files(world);
    world.kill();
    world.start();
    assert_files(world);

    let sentence = incident["verdicts"][0]["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("5s"),
        "the sentence does not say what it takes: {sentence}"
    );
    let page = world.get(&format!("/incidents/{}", incident["id"].as_str().unwrap()));
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains(sentence),
        "the page does not say {sentence:?}:\n{}",
        page.body
    );
}

fn assert_files(world: &World) {
    let drafts = world.files("postmortems", ".md");
    assert_eq!(drafts.len(), 1, "{drafts:?}");
    let draft = std::fs::read_to_string(world.path("postmortems").join(&drafts[0])).unwrap();
    assert!(
        draft.contains("We assume that every person made the correct decision"),
        "{draft}"
    );
    assert!(draft.contains("CheckoutDown"), "{draft}");

    let invites = world.files("invites", ".ics");
    assert_eq!(invites.len(), 1, "{invites:?}");
    let python = repository().join("target/python/bin/python");
    let invite = world.path("invites").join(&invites[0]);
    let read = world.run_program(
        python.to_str().unwrap(),
        &["-c", READ_INVITE, invite.to_str().unwrap()],
    );
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(
        read.said.trim(),
        "ada@example.com bo@example.com lin@example.com",
        "who is invited"
    );
}

/// Reads an invite with a library that is not ours and prints who is invited.
const READ_INVITE: &str = r#"
import sys, datetime, icalendar
calendar = icalendar.Calendar.from_ical(open(sys.argv[1], "rb").read())
events = list(calendar.walk("VEVENT"))
assert len(events) == 1, events
event = events[0]
assert not event.errors, event.errors
for name in ("UID", "DTSTAMP", "DTSTART", "SUMMARY", "ORGANIZER", "SEQUENCE"):
    assert name in event, "no " + name
start, end = event.decoded("DTSTART"), event.decoded("DTEND")
now = datetime.datetime.now(datetime.timezone.utc)
assert now + datetime.timedelta(hours=20) < start < now + datetime.timedelta(days=10), start
assert start < end, (start, end)
assert start.weekday() < 5, start
attendees = event.get("ATTENDEE")
attendees = attendees if isinstance(attendees, list) else [attendees]
print(*sorted(str(attendee).lower().removeprefix("mailto:") for attendee in attendees))
"#;

/// Posts distinct alerts of other services until told to stop, and remembers which were acknowledged.
struct Poster {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Poster {
    fn start(http: Http) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut acknowledged, began) = (BTreeSet::new(), stamp(Duration::from_secs(1)));
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("Side{number}");
                let body = webhook(&[alert(&name, &format!("side-{}", number % 3), &began)]);
                // No answer: it is dead or being started; whether that alert was kept is nobody's promise.
                if http
                    .try_post("/ingest/alertmanager", &body, &[])
                    .is_some_and(|answer| (200..300).contains(&answer.status))
                {
                    acknowledged.insert(name);
                }
                pause(Duration::from_millis(20));
            }
            acknowledged
        });
        Self { stop, thread }
    }

    fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
