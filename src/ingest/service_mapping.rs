//! What the things are called here of which a source tells under names of its own: objects of a cluster, applications, repositories.

use super::json_fields::line;
use super::labels;
use crate::model::event::Event;
use crate::model::glob::matches;
use crate::model::source::ServiceMapping;

/// The service that the first pattern names which fits one of `names`.
pub(crate) fn service<'a>(naming: &'a ServiceMapping, names: &[&str]) -> Option<&'a str> {
    let fits = |(pattern, _): &&(String, String)| names.iter().any(|name| matches(pattern, name));
    naming
        .services
        .iter()
        .find(fits)
        .map(|(_, service)| service.as_str())
}

/// Gives an event its place, and with that its id.
pub(crate) fn place(
    event: &mut Event,
    naming: &ServiceMapping,
    service: Option<&str>,
    environment: Option<&str>,
) {
    event.service = service
        .map(line)
        .filter(|service| !service.is_empty())
        .map(Into::into);
    let environment = environment
        .or(naming.environment.as_deref())
        .map(|word| labels::environment_word(&line(word)));
    event.environment = environment.filter(|word| !word.is_empty()).map(Into::into);
    event.identify();
}

#[cfg(test)]
mod tests {
    use super::{ServiceMapping, service};

    #[test]
    fn the_first_pattern_that_fits_names_the_service() {
        let services = [
            ("shop/checkout", "checkout"),
            ("shop/*", "shop"),
            ("*", "other"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
        let naming = ServiceMapping {
            services: services.to_vec(),
            environment: None,
        };
        assert_eq!(service(&naming, &["shop/checkout"]), Some("checkout"));
        assert_eq!(service(&naming, &["shop/cart"]), Some("shop"));
        assert_eq!(
            service(&naming, &["shop/x-1", "shop/checkout"]),
            Some("checkout")
        );
        assert_eq!(service(&ServiceMapping::default(), &["shop/cart"]), None);
    }
}
