//! What the things are called here of which a source tells under names of its own: objects of a cluster, applications, repositories.

use super::foreign::line;
use super::labels;
use crate::model::event::Event;
use crate::model::source::Naming;

/// The service that the first pattern names which fits one of `names`.
pub(super) fn service<'a>(naming: &'a Naming, names: &[&str]) -> Option<&'a str> {
    let fits = |(pattern, _): &&(String, String)| names.iter().any(|name| matches(pattern, name));
    naming.services.iter().find(fits).map(|(_, service)| service.as_str())
}

/// Gives an event its place, and with that its id.
pub(super) fn place(event: &mut Event, naming: &Naming, service: Option<&str>, environment: Option<&str>) {
    event.service = service.map(line).filter(|service| !service.is_empty()).map(Into::into);
    let environment = environment.or(naming.environment.as_deref()).map(|word| labels::environment_word(&line(word)));
    event.environment = environment.filter(|word| !word.is_empty()).map(Into::into);
    event.identify();
}

/// Whether a name fits a pattern, in which `*` stands for any letters or none.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Naming, matches, service};

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, fits) in [
            ("shop/checkout", "shop/checkout", true),
            ("shop/checkout", "shop/checkout-2", false),
            ("shop/*", "shop/checkout", true),
            ("shop/*", "shop/", true),
            ("shop/*", "shopping/checkout", false),
            ("*/checkout*", "shop/checkout-db", true),
            ("*-db", "shop/checkout-db", true),
            ("a*a", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn the_first_pattern_that_fits_names_the_service() {
        let services = [("shop/checkout", "checkout"), ("shop/*", "shop"), ("*", "other")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let naming = Naming { services: services.to_vec(), environment: None };
        assert_eq!(service(&naming, &["shop/checkout"]), Some("checkout"));
        assert_eq!(service(&naming, &["shop/cart"]), Some("shop"));
        assert_eq!(service(&naming, &["shop/x-1", "shop/checkout"]), Some("checkout"));
        assert_eq!(service(&Naming::default(), &["shop/cart"]), None);
    }
}
