//! Content lines of iCalendar text (RFC 5545 §3.1): unfolding, names, parameters, and the nesting
//! of components.

/// Maximum nesting of components; deeper ones are skipped.
const MAX_DEPTH: usize = 8;

/// Component: a `BEGIN:…` to its `END:…`.
#[derive(Debug, Default)]
pub(crate) struct Component {
    /// Component name in upper case, as all names here.
    pub(crate) name: String,
    pub(crate) properties: Vec<Property>,
    pub(crate) children: Vec<Component>,
}

/// Property: one content line.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    parameters: Vec<(String, String)>,
    /// Raw value, with its text escapes.
    pub(crate) value: String,
}

impl Component {
    /// First property of that name.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties
            .iter()
            .find(|property| property.name == name)
    }

    /// All properties of that name, in order.
    pub(crate) fn properties_named<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Property> {
        self.properties
            .iter()
            .filter(move |property| property.name == name)
    }

    /// Unescaped text of the first property of that name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.property(name).map(Property::text)
    }
}

impl Property {
    /// First value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// Value with the escapes of TEXT resolved (RFC 5545 §3.3.11).
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut escaped = false;
        for c in self.value.chars() {
            match (escaped, c) {
                (false, '\\') => escaped = true,
                (true, 'n' | 'N') => {
                    text.push('\n');
                    escaped = false;
                }
                (_, c) => {
                    text.push(c);
                    escaped = false;
                }
            }
        }
        text
    }
}

/// Parses the `VCALENDAR` components of a text. A malformed content line is skipped.
///
/// # Errors
/// The reason why the text is no calendar or a truncated one.
pub(crate) fn read_calendars(text: &str) -> Result<Vec<Component>, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let begins = text
        .get(..15)
        .is_some_and(|head| head.eq_ignore_ascii_case("BEGIN:VCALENDAR"));
    if !begins {
        return Err("not a calendar: it does not begin with BEGIN:VCALENDAR".to_owned());
    }
    let mut calendars = Vec::new();
    let mut open: Vec<Component> = Vec::new();
    for line in unfold(text) {
        let Some(property) = read_line(&line) else {
            continue;
        };
        match property.name.as_str() {
            "BEGIN" => {
                if open.len() >= MAX_DEPTH {
                    return Err("its components are nested too deeply".to_owned());
                }
                open.push(Component {
                    name: property.value.trim().to_ascii_uppercase(),
                    ..Component::default()
                });
            }
            "END" => {
                let Some(closed) = open.pop() else {
                    return Err("it has an END without its BEGIN".to_owned());
                };
                if !closed.name.eq_ignore_ascii_case(property.value.trim()) {
                    return Err(format!(
                        "BEGIN:{} is closed by END:{}",
                        closed.name,
                        property.value.trim()
                    ));
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None if closed.name == "VCALENDAR" => calendars.push(closed),
                    None => {}
                }
            }
            _ => {
                if let Some(component) = open.last_mut() {
                    component.properties.push(property);
                }
            }
        }
    }
    if open.is_empty() {
        Ok(calendars)
    } else {
        Err("not a whole calendar: it does not end with END:VCALENDAR".to_owned())
    }
}

/// Logical lines: a line that begins with a space or a tab continues the one before.
fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Parses `NAME;PARAMETER=value;…:value`. Quoted parameter values may hold `;`, `:` and `,`.
fn read_line(line: &str) -> Option<Property> {
    let mut quoted = false;
    let mut pieces = Vec::new();
    let mut begin = 0;
    let mut value = None;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                pieces.push(&line[begin..at]);
                begin = at + 1;
            }
            ':' if !quoted => {
                pieces.push(&line[begin..at]);
                value = Some(&line[at + 1..]);
                break;
            }
            _ => {}
        }
    }
    let value = value?.to_owned();
    let mut pieces = pieces.into_iter();
    let name = pieces.next()?.trim().to_ascii_uppercase();
    let parameters = pieces
        .filter_map(|piece| piece.split_once('='))
        .map(|(name, value)| {
            (
                name.trim().to_ascii_uppercase(),
                value.trim().trim_matches('"').to_owned(),
            )
        })
        .collect();
    (!name.is_empty()).then_some(Property {
        name,
        parameters,
        value,
    })
}
