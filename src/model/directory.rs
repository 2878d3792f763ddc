//! The directory: resolves the names that sources give people and programs to the people of the
//! settings. No other module resolves names.
//!
//! A source names an actor as `scheme:name` (`pagerduty:PABC123`, `github:ada`); people name
//! themselves by id, name or address. Case is ignored. An alias assigned by a person takes
//! precedence over the settings, and the settings over the kind a source reports.

use std::collections::BTreeMap;

use super::event::{Actor, ActorKind, Event};
use super::glob::matches;
use super::settings::Person;

/// Actors that are programs under any settings; `robots:` adds to these.
pub(crate) const ROBOTS: [&str; 13] = [
    "*[bot]",
    "github:dependabot*",
    "github:renovate*",
    "github:github-actions*",
    "gitlab:project_*_bot*",
    "gitlab:group_*_bot*",
    "kubernetes:system:serviceaccount:*",
    "kubernetes:system:node:*",
    "kubernetes:system:kube-*",
    "kubernetes:system:apiserver",
    "kubernetes:eks:*",
    "argocd:automated*",
    "slack:USLACKBOT",
];

/// Aliases assigned by people, normalised by [`key`], each with the person's id.
pub(crate) type Identities = BTreeMap<String, String>;

/// The people of the settings by each of their names, and the patterns of programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    people: Vec<Person>,
    ids: BTreeMap<String, usize>,
    aliases: BTreeMap<String, usize>,
    emails: BTreeMap<String, usize>,
    /// Full names; `None` when several people share one.
    names: BTreeMap<String, Option<usize>>,
    robots: Vec<String>,
}

/// A name normalised for comparison: lower case, without surrounding blanks.
#[must_use]
pub(crate) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Directory {
    /// Builds a directory of these people. `robots` are patterns of program names added to
    /// [`ROBOTS`], in which only `*` is special and matches any text.
    #[must_use]
    pub fn new(people: &[Person], robots: &[String]) -> Self {
        let mut who = Self {
            people: people.to_vec(),
            ..Self::default()
        };
        for (index, person) in people.iter().enumerate() {
            who.ids.entry(key(&person.id)).or_insert(index);
            // When two people share an address or alias, it resolves to the first of them.
            if let Some(email) = &person.email {
                who.emails.entry(key(email)).or_insert(index);
            }
            for alias in &person.aliases {
                who.aliases.entry(key(alias)).or_insert(index);
            }
            who.names
                .entry(key(&person.name))
                .and_modify(|known| *known = None)
                .or_insert(Some(index));
        }
        who.robots = ROBOTS
            .iter()
            .map(|glob| key(glob))
            .chain(robots.iter().map(|glob| key(glob)))
            .collect();
        who
    }

    /// All people, in the order of the settings.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The person with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Person> {
        self.ids
            .get(&key(id))
            .and_then(|index| self.people.get(*index))
    }

    /// The person `source` means by `name`, if known.
    #[must_use]
    pub fn person(&self, source: &str, name: &str, stated: &Identities) -> Option<&Person> {
        let name = key(name);
        if let Some(person) = stated.get(&name).and_then(|id| self.by_id(id)) {
            return Some(person);
        }
        let bare = name.split_once(':').is_none();
        // A bare name belongs to the source's own scheme.
        let told = if bare {
            format!("{}:{name}", key(source))
        } else {
            name.clone()
        };
        let at = || {
            let alias = self.aliases.get(&told).or_else(|| self.aliases.get(&name));
            let own = if bare { self.ids.get(&name) } else { None };
            let address = name
                .rsplit_once(':')
                .map_or(name.as_str(), |(_, last)| last);
            let email = if address.contains('@') {
                self.emails.get(address)
            } else {
                None
            };
            let full = if bare {
                self.names.get(&name).and_then(Option::as_ref)
            } else {
                None
            };
            alias.or(own).or(email).or(full).copied()
        };
        at().and_then(|index| self.people.get(index))
    }

    /// The kind of an actor: person or program. A person of the settings is a person, whatever kind
    /// a source reports.
    #[must_use]
    pub fn kind(&self, source: &str, actor: &Actor, stated: &Identities) -> ActorKind {
        if self.person(source, &actor.id, stated).is_some() {
            return ActorKind::Human;
        }
        let name = key(&actor.id);
        let told = format!("{}:{name}", key(source));
        let fits =
            |glob: &String| matches(glob, &name) || (!name.contains(':') && matches(glob, &told));
        if self.robots.iter().any(fits) {
            ActorKind::Robot
        } else {
            actor.kind
        }
    }

    /// The kind of actor behind an event; `None` when the event names no actor.
    #[must_use]
    pub fn actor_kind(&self, event: &Event, stated: &Identities) -> Option<ActorKind> {
        event
            .actor
            .as_ref()
            .map(|actor| self.kind(&event.source, actor, stated))
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, Identities};
    use crate::model::event::{Actor, ActorKind};
    use crate::model::settings::{Hours, Person};

    fn person(id: &str, name: &str, email: Option<&str>, aliases: &[&str]) -> Person {
        Person {
            id: id.into(),
            name: name.into(),
            email: email.map(str::to_owned),
            time_zone: chrono_tz::UTC,
            hours: Hours {
                days: [true; 7],
                from: 540,
                to: 1020,
            },
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        }
    }

    fn who() -> Directory {
        let people = [
            person(
                "ada",
                "Ada Lovelace",
                Some("Ada@Example.com"),
                &["pagerduty:PABC123", "github:ada", "ops-pd:ada.l"],
            ),
            person("bo", "Bo M.", None, &["kubernetes:bo@example.com"]),
            person("bo2", "Bo M.", None, &[]),
        ];
        Directory::new(
            &people,
            &["kubernetes:ci-*".to_owned(), "deployer".to_owned()],
        )
    }

    #[test]
    fn every_name_of_a_person_is_theirs() {
        let (who, stated) = (
            who(),
            Identities::from([
                ("slack:u9".to_owned(), "bo".to_owned()),
                ("github:ada".to_owned(), "gone".to_owned()),
            ]),
        );
        for (source, name, expected) in [
            ("pd", "pagerduty:PABC123", Some("ada")),
            ("pd", "PagerDuty:pabc123", Some("ada")),
            ("github", "ada", Some("ada")),
            ("ops-pd", "ada.l", Some("ada")),
            ("pd", "ada.l", None),
            ("people", "ada", Some("ada")),
            ("people", " Ada Lovelace ", Some("ada")),
            ("people", "ADA@example.com", Some("ada")),
            ("x", "opsgenie:ada@example.com", Some("ada")),
            ("x", "kubernetes:oidc:ada@example.com", Some("ada")),
            // Another system's account that only looks like it.
            ("x", "gitlab:ada", None),
            ("x", "gitlab:Ada Lovelace", None),
            ("x", "opsgenie:bo@example.com", None),
            ("x", "kubernetes:BO@example.com", Some("bo")),
            // Two people share that name.
            ("people", "Bo M.", None),
            ("chat", "slack:U9", Some("bo")),
            // The alias was withdrawn, so the settings apply.
            ("x", "github:ada", Some("ada")),
            ("x", "", None),
        ] {
            assert_eq!(
                who.person(source, name, &stated)
                    .map(|person| person.id.as_str()),
                expected,
                "{source} {name}"
            );
        }
    }

    #[test]
    fn a_person_is_human_and_a_program_is_not() {
        let (who, none) = (who(), Identities::new());
        let kind = |source: &str, id: &str, kind| {
            who.kind(
                source,
                &Actor {
                    id: id.to_owned(),
                    kind,
                },
                &none,
            )
        };
        assert_eq!(
            kind("x", "github:ada", ActorKind::Unknown),
            ActorKind::Human
        );
        assert_eq!(kind("x", "github:ada", ActorKind::Robot), ActorKind::Human);
        for id in [
            "github:dependabot[bot]",
            "anything[bot]",
            "kubernetes:CI-7",
            "kubernetes:system:serviceaccount:a:b",
            "deployer",
        ] {
            assert_eq!(kind("x", id, ActorKind::Unknown), ActorKind::Robot, "{id}");
        }
        assert_eq!(
            kind("github", "renovate", ActorKind::Human),
            ActorKind::Robot
        );
        assert_eq!(
            kind("x", "kubernetes:system:admin", ActorKind::Unknown),
            ActorKind::Unknown
        );
        assert_eq!(kind("x", "github:zoe", ActorKind::Human), ActorKind::Human);
    }
}
