//! Who is who: the names that sources give people and programs, folded into the people of the settings. The only place that folds.
//!
//! A source names somebody as `scheme:name` (`pagerduty:PABC123`, `github:ada`), people name themselves by an id, a name or an address.
//! Case never counts. What a person stated of a name comes before what the settings say of it, and the settings before what it looks like.

use std::collections::BTreeMap;

use super::event::{Actor, ActorKind, Event};
use super::glob::matches;
use super::settings::Person;

/// What is always a program, whatever the settings say; `robots:` adds to these.
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

/// What people stated of names, in the form of [`key`]: whose they are, by the person's id.
pub(crate) type Identities = BTreeMap<String, String>;

/// The people of the settings, by every name they have, and what is a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    people: Vec<Person>,
    ids: BTreeMap<String, usize>,
    aliases: BTreeMap<String, usize>,
    emails: BTreeMap<String, usize>,
    /// Full names; `None`: several people have it.
    names: BTreeMap<String, Option<usize>>,
    robots: Vec<String>,
}

/// A name as it is compared: without regard to case and to blanks around it.
#[must_use]
pub(crate) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Directory {
    /// Of these people, and with these patterns of programs beside [`ROBOTS`]: `*` stands for any text, and nothing else is special.
    #[must_use]
    pub fn new(people: &[Person], robots: &[String]) -> Self {
        let mut who = Self {
            people: people.to_vec(),
            ..Self::default()
        };
        for (index, person) in people.iter().enumerate() {
            who.ids.entry(key(&person.id)).or_insert(index);
            // Two ids with one address, or one alias, are one person to whoever reads them: the first.
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

    /// Everybody, in the order of the settings.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The person of that id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Person> {
        self.ids
            .get(&key(id))
            .and_then(|index| self.people.get(*index))
    }

    /// The person that `source` calls so, if it is known who that is.
    #[must_use]
    pub fn person(&self, source: &str, name: &str, stated: &Identities) -> Option<&Person> {
        let name = key(name);
        if let Some(person) = stated.get(&name).and_then(|id| self.by_id(id)) {
            return Some(person);
        }
        let bare = name.split_once(':').is_none();
        // Of a bare name it is the source that says whose word it is.
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

    /// Whether it is a person or a program that `source` calls so. A person of the settings is a person, whatever a source says.
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

    /// What acted in an event; `None`: nobody, as far as it says.
    #[must_use]
    pub fn acted(&self, event: &Event, stated: &Identities) -> Option<ActorKind> {
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
            // Two people have that name.
            ("people", "Bo M.", None),
            ("chat", "slack:U9", Some("bo")),
            // What was stated names nobody any more: the settings say.
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
