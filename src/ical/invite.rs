//! Renders a meeting as iCalendar (RFC 5545), for mail (RFC 5546, RFC 6047), CalDAV and files.
//!
//! Names and titles are foreign text: no value may end its line, open a parameter or add an
//! attendee.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::meeting::{Attendee, Meeting};
use crate::model::time::Time;

/// Maximum octets of a content line without its line break (RFC 5545 §3.1).
const LINE: usize = 75;

/// iTIP method of a meeting: `REQUEST`, `CANCEL` after a cancellation, `PUBLISH` without attendees.
/// `None` without an organizer, which each of these requires (RFC 5546 §3.2).
#[must_use]
pub(crate) fn itip_method(meeting: &Meeting) -> Option<&'static str> {
    mailto(&meeting.organizer)?;
    Some(match (meeting.cancelled, attendees(meeting).is_empty()) {
        (true, _) => "CANCEL",
        (false, false) => "REQUEST",
        (false, true) => "PUBLISH",
    })
}

/// Renders one VCALENDAR with one VEVENT, times in UTC.
///
/// Pass [`itip_method`] for mail and for files opened by a person, with the same value in
/// the mail's header. Pass `None` for CalDAV, whose resources must not carry METHOD (RFC 4791
/// §4.1). With `PUBLISH` no attendee is written (RFC 5546 §3.2.1). TRANSP is omitted: opaque is the
/// default, and some servers write it twice.
#[must_use]
pub(crate) fn render_invite(meeting: &Meeting, method: Option<&str>) -> String {
    let mut out = String::with_capacity(1024);
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(&mut out, "PRODID:-//Afterword//Afterword//EN");
    line(&mut out, "CALSCALE:GREGORIAN");
    let method = method.map(|word| {
        word.chars()
            .filter(char::is_ascii_alphabetic)
            .collect::<String>()
            .to_ascii_uppercase()
    });
    if let Some(method) = method.as_deref().filter(|word| !word.is_empty()) {
        line(&mut out, &format!("METHOD:{method}"));
    }
    line(&mut out, "BEGIN:VEVENT");
    line(&mut out, &format!("UID:{}", text(&meeting.uid)));
    line(&mut out, &format!("SEQUENCE:{}", meeting.sequence));
    line(&mut out, &format!("DTSTAMP:{}", instant(meeting.stamp)));
    line(&mut out, &format!("DTSTART:{}", instant(meeting.starts_at)));
    // DTEND must be later than DTSTART (RFC 5545 §3.8.2.2); without it the meeting has no length,
    // which clients can read.
    if meeting.ends_at > meeting.starts_at {
        line(&mut out, &format!("DTEND:{}", instant(meeting.ends_at)));
    }
    let cancelled = meeting.cancelled || method.as_deref() == Some("CANCEL");
    line(
        &mut out,
        if cancelled {
            "STATUS:CANCELLED"
        } else {
            "STATUS:CONFIRMED"
        },
    );
    let summary = text(&meeting.summary);
    line(
        &mut out,
        &format!(
            "SUMMARY:{}",
            if summary.trim().is_empty() {
                "Postmortem"
            } else {
                &summary
            }
        ),
    );
    if !meeting.description.trim().is_empty() {
        line(
            &mut out,
            &format!("DESCRIPTION:{}", text(&meeting.description)),
        );
    }
    if let Some(url) = address(&meeting.url) {
        line(&mut out, &format!("URL:{url}"));
    }
    let asked = if method.as_deref() == Some("PUBLISH") {
        Vec::new()
    } else {
        attendees(meeting)
    };
    // An event without attendees is not group-scheduled and has no organizer (RFC 5545 §3.8.4.3).
    if (method.is_some() || !asked.is_empty())
        && let Some(organizer) = mailto(&meeting.organizer)
    {
        line(&mut out, &format!("ORGANIZER:{organizer}"));
    }
    for (attendee, mailto) in asked {
        let role = if attendee.optional {
            "OPT-PARTICIPANT"
        } else {
            "REQ-PARTICIPANT"
        };
        let name = common_name(&attendee.name);
        line(
            &mut out,
            &format!(
                "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE={role};PARTSTAT=NEEDS-ACTION;RSVP=TRUE{name}:{mailto}"
            ),
        );
    }
    line(&mut out, "END:VEVENT");
    line(&mut out, "END:VCALENDAR");
    out
}

/// Attendees with an email address, without duplicates.
fn attendees(meeting: &Meeting) -> Vec<(&Attendee, String)> {
    let mut seen = BTreeSet::new();
    meeting
        .attendees
        .iter()
        .filter_map(|attendee| Some((attendee, mailto(&attendee.email)?)))
        .filter(|(_, mailto)| seen.insert(mailto.to_ascii_lowercase()))
        .collect()
}

fn instant(at: Time) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Escapes a TEXT value (RFC 5545 §3.3.11). Other control characters are dropped, and U+2028 and
/// U+2029, which some readers treat as line ends.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for char in value.replace("\r\n", "\n").chars() {
        match char {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => out.push_str("\\n"),
            '\\' | ';' | ',' => out.extend(['\\', char]),
            '\t' => out.push(' '),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}

/// Parameter `;CN=…`, empty for an empty name. Parameter values have no escapes (RFC 5545 §3.2), so
/// `"` is dropped, and `^`, which begins an escape for some readers only (RFC 6868).
fn common_name(name: &str) -> String {
    let cleaned: String = name
        .chars()
        .map(|char| match char {
            '"' => '\'',
            '^' | '\u{2028}' | '\u{2029}' => ' ',
            char if char.is_control() => ' ',
            char => char,
        })
        .collect();
    let name = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        String::new()
    } else if name.contains([':', ';', ',']) {
        format!(";CN=\"{name}\"")
    } else {
        format!(";CN={name}")
    }
}

/// Builds a `mailto:` URI from a bare address; `None` for anything else. A display name around it
/// breaks updates in place in some clients.
fn mailto(email: &str) -> Option<String> {
    let email = email.trim();
    let email = if email
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
    {
        &email[7..]
    } else {
        email
    };
    let (local, domain) = email.rsplit_once('@')?;
    if local.is_empty()
        || domain.is_empty()
        || email
            .chars()
            .any(|char| char.is_control() || char.is_whitespace() || "<>\"".contains(char))
    {
        return None;
    }
    let mut out = String::from("mailto:");
    for byte in email.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$'*+=@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Some(out)
}

/// URI value of an `http` or `https` address, percent-encoded where needed.
fn address(url: &str) -> Option<String> {
    let url = url.trim();
    let scheme = url.split_once("://")?.0;
    if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) {
        return None;
    }
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                let _ = write!(out, "%{byte:02X}");
            }
            0x21..=0x7e => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Some(out)
}

/// Writes one content line, folded at [`LINE`] octets but never within a character; the space of a
/// continuation line counts.
fn line(out: &mut String, content: &str) {
    let mut width = 0;
    for char in content.chars() {
        if width + char.len_utf8() > LINE {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(char);
        width += char.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{itip_method, render_invite};
    use crate::model::id::PostmortemId;
    use crate::model::meeting::{Attendee, Meeting};
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    fn attendee(name: &str, email: &str) -> Attendee {
        Attendee {
            name: name.into(),
            email: email.into(),
            optional: false,
        }
    }

    fn meeting() -> Meeting {
        Meeting {
            id: PostmortemId("pm-0123456789".into()),
            uid: "pm-0123456789@afterword".into(),
            sequence: 2,
            stamp: "2026-11-23T12:00:00.123Z".parse().unwrap(),
            starts_at: "2026-11-25T09:00:00Z".parse().unwrap(),
            ends_at: "2026-11-25T10:00:00Z".parse().unwrap(),
            cancelled: false,
            summary: "Postmortem: checkout, high; error rate".into(),
            description: "Draft:\r\nhttps://pm.example/postmortems/pm-0123456789\\x".into(),
            url: "https://pm.example/postmortems/pm-0123456789".into(),
            organizer: "postmortems@example.com".into(),
            attendees: vec![
                attendee("Ada L.", "ada@example.com"),
                Attendee {
                    optional: true,
                    ..attendee("Lin", "lin@example.com")
                },
            ],
        }
    }

    /// Unfolds the content lines; fails on a line that is too long or does not end in CRLF.
    fn lines(text: &str) -> Vec<String> {
        assert!(text.ends_with("\r\n"));
        for line in text.trim_end_matches("\r\n").split("\r\n") {
            assert!(line.len() <= 75, "{line}");
            assert!(!line.contains(['\r', '\n']), "{line:?}");
        }
        text.replace("\r\n ", "")
            .trim_end()
            .split("\r\n")
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_request_says_all_that_a_client_needs() {
        let text = render_invite(&meeting(), Some("REQUEST"));
        insta::assert_snapshot!(lines(&text).join("\n"), @r"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//Afterword//Afterword//EN
        CALSCALE:GREGORIAN
        METHOD:REQUEST
        BEGIN:VEVENT
        UID:pm-0123456789@afterword
        SEQUENCE:2
        DTSTAMP:20261123T120000Z
        DTSTART:20261125T090000Z
        DTEND:20261125T100000Z
        STATUS:CONFIRMED
        SUMMARY:Postmortem: checkout\, high\; error rate
        DESCRIPTION:Draft:\nhttps://pm.example/postmortems/pm-0123456789\\x
        URL:https://pm.example/postmortems/pm-0123456789
        ORGANIZER:mailto:postmortems@example.com
        ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Ada L.:mailto:ada@example.com
        ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Lin:mailto:lin@example.com
        END:VEVENT
        END:VCALENDAR
        ");
        assert!(!text.contains("TRANSP"));
    }

    #[test]
    fn a_server_gets_no_method_and_a_cancelled_meeting_says_so() {
        assert!(!render_invite(&meeting(), None).contains("METHOD"));
        let cancelled = Meeting {
            cancelled: true,
            sequence: 3,
            ..meeting()
        };
        assert_eq!(itip_method(&cancelled), Some("CANCEL"));
        let text = render_invite(&cancelled, itip_method(&cancelled));
        assert!(
            text.contains("METHOD:CANCEL\r\n")
                && text.contains("STATUS:CANCELLED\r\n")
                && text.contains("SEQUENCE:3\r\n")
        );
        // CANCEL also notifies a removed attendee of a meeting that still takes place.
        assert!(render_invite(&meeting(), Some("CANCEL")).contains("STATUS:CANCELLED\r\n"));
    }

    #[test]
    fn invite_without_attendees_is_published() {
        let alone = Meeting {
            attendees: vec![],
            ..meeting()
        };
        assert_eq!(itip_method(&alone), Some("PUBLISH"));
        assert!(!render_invite(&alone, None).contains("ORGANIZER"));
        assert!(render_invite(&alone, Some("PUBLISH")).contains("ORGANIZER"));
        assert!(!render_invite(&meeting(), Some("PUBLISH")).contains("ATTENDEE"));
        assert_eq!(
            itip_method(&Meeting {
                organizer: String::new(),
                ..meeting()
            }),
            None
        );
    }

    #[test]
    fn a_name_cannot_add_an_attendee() {
        for name in [
            "Ada\r\nATTENDEE:mailto:evil@x",
            "Ada\nATTENDEE:mailto:evil@x",
            "Ada\rATTENDEE:mailto:evil@x",
            "Ada\":mailto:evil@x;CN=\"",
            "A\u{2028}ATTENDEE:x",
        ] {
            let meeting = Meeting {
                attendees: vec![attendee(name, "ada@example.com")],
                ..meeting()
            };
            let lines = lines(&render_invite(&meeting, Some("REQUEST")));
            let attendees: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with("ATTENDEE"))
                .collect();
            assert_eq!(attendees.len(), 1, "{lines:?}");
            assert!(
                attendees[0].ends_with("\":mailto:ada@example.com"),
                "{attendees:?}"
            );
            assert_eq!(attendees[0].matches('"').count(), 2);
        }
        let summary = Meeting {
            summary: "x\r\nATTENDEE:mailto:evil@x\u{7}".into(),
            url: "https://x/\r\nATTENDEE:mailto:evil@x".into(),
            ..meeting()
        };
        let lines = lines(&render_invite(&summary, Some("REQUEST\r\nATTENDEE:x")));
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with("ATTENDEE"))
                .count(),
            2
        );
    }

    #[test]
    fn names_and_addresses_of_every_kind() {
        let names = Meeting {
            attendees: vec![
                attendee("", "empty@example.com"),
                attendee("Lovelace, Ada", "comma@example.com"),
                attendee("Ada \"the\" L", "MAILTO:quote@example.com"),
                attendee("no address", "nobody"),
                attendee("twice", "Comma@Example.com"),
                attendee("odd", "o'neil+x;y@example.com"),
                attendee("framed", "Ada <ada@example.com>"),
            ],
            ..meeting()
        };
        let all = lines(&render_invite(&names, Some("REQUEST")));
        let got: Vec<_> = all
            .iter()
            .filter_map(|line| line.strip_prefix("ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"))
            .collect();
        assert_eq!(
            got,
            [
                ":mailto:empty@example.com",
                ";CN=\"Lovelace, Ada\":mailto:comma@example.com",
                ";CN=Ada 'the' L:mailto:quote@example.com",
                ";CN=odd:mailto:o'neil+x%3By@example.com"
            ]
        );
    }

    #[test]
    fn folding_spares_characters() {
        for unit in ["漢字", "👩‍🚒", "é", "a"] {
            for pad in 0..8 {
                let long = format!("{}{}", "x".repeat(pad), unit.repeat(100));
                let meeting = Meeting {
                    summary: long.clone(),
                    attendees: vec![attendee(&long, "a@example.com")],
                    ..meeting()
                };
                let lines = lines(&render_invite(&meeting, Some("REQUEST")));
                assert!(lines.contains(&format!("SUMMARY:{long}")));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_the_text_the_lines_are_the_same(name in any::<String>(), summary in any::<String>(), url in any::<String>(), email in any::<String>()) {
            let meeting = Meeting { summary, url: format!("https://{url}"), attendees: vec![attendee(&name, "a@example.com"), attendee(&name, &email)], ..meeting() };
            let lines = lines(&render_invite(&meeting, Some("REQUEST")));
            let extra = lines.iter().filter(|line| line.starts_with("ATTENDEE;")).count();
            prop_assert!((1..=2).contains(&extra));
            prop_assert_eq!(lines.len(), 18 + extra);
        }
    }
}
