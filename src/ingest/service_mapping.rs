//! Services of foreign objects by the patterns of the settings: cluster objects, applications,
//! repositories.

use super::json_fields::single_line;
use super::labels;
use crate::model::event::Event;
use crate::model::glob::matches;
use crate::model::source::ServiceMapping;

/// The service of the first pattern that matches one of `names`.
pub(crate) fn service<'a>(naming: &'a ServiceMapping, names: &[&str]) -> Option<&'a str> {
    let fits = |(pattern, _): &&(String, String)| names.iter().any(|name| matches(pattern, name));
    naming
        .services
        .iter()
        .find(fits)
        .map(|(_, service)| service.as_str())
}

/// Sets service and environment of an event, and then its id.
pub(crate) fn place(
    event: &mut Event,
    naming: &ServiceMapping,
    service: Option<&str>,
    environment: Option<&str>,
) {
    event.service = service
        .map(single_line)
        .filter(|service| !service.is_empty())
        .map(Into::into);
    let environment = environment
        .or(naming.environment.as_deref())
        .map(|word| labels::environment_word(&single_line(word)));
    event.environment = environment.filter(|word| !word.is_empty()).map(Into::into);
    event.identify();
}

#[cfg(test)]
mod tests {
    use super::{ServiceMapping, service};

    #[test]
    fn first_matching_pattern_gives_the_service() {
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
