//! Merges a regenerated draft into its file without changing what a person wrote.
//!
//! A draft consists of front matter, a head and `## ` sections. A section equal to its last
//! generated text is regenerated; any other belongs to a person. Trailing white space on lines and
//! sections is ignored, since editors change it by themselves.

use std::collections::{BTreeMap, BTreeSet};

/// Identity of a section within a draft.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Front matter: YAML between `---`.
    Front,
    /// Everything before the first second-level heading.
    Head,
    /// Heading, and the number of equal headings before it.
    Heading(String, usize),
}

#[derive(Debug, Clone)]
struct Section {
    key: Key,
    text: String,
    /// True for newly generated text, whose surrounding blank lines may be adjusted.
    ours: bool,
}

/// Merges `generated` into `current`, keeping what a person changed since `before` was generated.
///
/// Sections that a person added stay in place, those that a person deleted stay deleted. An empty
/// file is generated anew. CRLF line ends are kept.
#[must_use]
pub(crate) fn merge(before: &str, generated: &str, current: &str) -> String {
    if current == before || current == generated || current.trim().is_empty() {
        return generated.to_owned();
    }
    let (marked, current) = current
        .strip_prefix('\u{feff}')
        .map_or(("", current), |rest| ("\u{feff}", rest));
    let before = split(before, false, &BTreeSet::new());
    let now = split(generated, true, &BTreeSet::new());
    // A code block that a person forgot to close must not swallow generated sections, or they would
    // be added again and again.
    let known = before.iter().chain(&now).filter_map(|section| {
        if let Key::Heading(heading, _) = &section.key {
            Some(heading.as_str())
        } else {
            None
        }
    });
    let theirs = split(current, false, &known.collect());
    let (then, fresh) = (index(&before), index(&now));
    let mut out: Vec<Section> = Vec::new();
    for section in &theirs {
        let same = |other: Option<&Section>| {
            other.is_some_and(|other| reads(&other.text) == reads(&section.text))
        };
        let untouched = same(then.get(&section.key).copied());
        match fresh.get(&section.key) {
            Some(&anew) if untouched || same(Some(anew)) => out.push(anew.clone()),
            // No longer generated. One of several with the same heading stays, since the others are
            // numbered.
            None if untouched && alone(&section.key, &theirs) => {}
            _ => out.push(section.clone()),
        }
    }
    for (number, section) in now.iter().enumerate() {
        // A second of one heading cannot come where the first was deleted: it would be read as the first.
        let first = match section.key {
            Key::Heading(_, number) => {
                out.iter()
                    .filter(|other| namesake(&other.key, &section.key))
                    .count()
                    == number
            }
            Key::Front | Key::Head => !out.iter().any(|other| other.key == section.key),
        };
        if then.contains_key(&section.key) || !first {
            continue;
        }
        let after = now[..number]
            .iter()
            .rev()
            .find_map(|earlier| out.iter().position(|other| other.key == earlier.key));
        let namesakes = out
            .iter()
            .rposition(|other| namesake(&other.key, &section.key));
        // Front matter, head and headings keep that order, or the next reading would find other sections.
        let leads = out.iter().rposition(|other| match other.key {
            Key::Front => section.key != Key::Front,
            Key::Head => matches!(section.key, Key::Heading(..)),
            Key::Heading(..) => false,
        });
        let place = after.max(namesakes).max(leads).map_or(0, |place| place + 1);
        out.insert(place, section.clone());
    }
    if out.is_empty() {
        return generated.to_owned();
    }
    marked.to_owned() + &join(&out, current.contains("\r\n"))
}

/// Splits a text into sections. A heading within a code block is code, unless it is one of `known`.
fn split(text: &str, ours: bool, known: &BTreeSet<&str>) -> Vec<Section> {
    let mut sections = Vec::new();
    let front = front_matter(text);
    let mut push = |key, text: &str| {
        if !text.trim().is_empty() {
            sections.push(Section {
                key,
                text: text.to_owned(),
                ours,
            });
        }
    };
    push(Key::Front, &text[..front]);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut key, mut from, mut at) = (Key::Head, front, front);
    let mut fence: Option<(char, usize)> = None;
    for line in text[front..].split_inclusive('\n') {
        match (fence, fenced(line), heading(line)) {
            (_, _, Some(heading)) if fence.is_none() || known.contains(heading) => {
                push(key, &text[from..at]);
                let count = counts.entry(heading.to_owned()).or_default();
                key = Key::Heading(heading.to_owned(), *count);
                *count += 1;
                from = at;
                fence = None;
            }
            (Some((char, least)), Some((other, length, bare)), _)
                if other == char && length >= least && bare =>
            {
                fence = None;
            }
            (None, Some((char, length, _)), _) => fence = Some((char, length)),
            _ => {}
        }
        at += line.len();
    }
    push(key, &text[from..]);
    sections
}

/// Length of the front matter with its closing line; 0 without one.
fn front_matter(text: &str) -> usize {
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        at += line.len();
        match (number, line.trim_end()) {
            (0, "---") => {}
            (0, _) => return 0,
            (_, "---" | "...") => return at,
            _ => {}
        }
    }
    0
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("##")?;
    (rest.trim().is_empty() || rest.starts_with([' ', '\t']))
        .then(|| rest.trim().trim_end_matches('#').trim_end())
}

/// Character and length of a code fence, and true when nothing follows it (CommonMark §4.5).
fn fenced(line: &str) -> Option<(char, usize, bool)> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let line = line[indent..].trim_end();
    let char = line
        .chars()
        .next()
        .filter(|char| matches!(char, '`' | '~'))?;
    let rest = line.trim_start_matches(char);
    let length = line.len() - rest.len();
    (indent < 4 && length >= 3 && !(char == '`' && rest.contains('`'))).then_some((
        char,
        length,
        rest.is_empty(),
    ))
}

fn index(sections: &[Section]) -> BTreeMap<&Key, &Section> {
    sections
        .iter()
        .map(|section| (&section.key, section))
        .collect()
}

fn namesake(a: &Key, b: &Key) -> bool {
    matches!((a, b), (Key::Heading(a, _), Key::Heading(b, _)) if a == b)
}

fn alone(key: &Key, sections: &[Section]) -> bool {
    sections
        .iter()
        .filter(|other| namesake(&other.key, key) || other.key == *key)
        .count()
        == 1
}

/// Normalizes a section for comparison: removes white space at the ends of lines and at its end.
fn reads(text: &str) -> Vec<&str> {
    text.trim().lines().map(str::trim_end).collect()
}

fn join(sections: &[Section], crlf: bool) -> String {
    let newline = if crlf { "\r\n" } else { "\n" };
    let mut out = String::new();
    for (number, section) in sections.iter().enumerate() {
        // Next to what was generated there is one blank line; between a person's own sections it is as they left it.
        let ours = |other: Option<&Section>| other.map(|other| other.ours || section.ours);
        let (before, after) = (
            ours(
                number
                    .checked_sub(1)
                    .and_then(|number| sections.get(number)),
            ),
            ours(sections.get(number + 1)),
        );
        let text = if section.ours {
            section.text.replace("\r\n", "\n").replace('\n', newline)
        } else {
            section.text.clone()
        };
        let text = if before.unwrap_or(section.ours) {
            text.trim_start_matches(['\r', '\n'])
        } else {
            &text
        };
        match after {
            Some(true) => out.extend([text.trim_end(), newline, newline]),
            None if section.ours => out.extend([text.trim_end(), newline]),
            Some(false) if !text.ends_with('\n') => out.extend([text, newline]),
            Some(false) | None => out.push_str(text),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::merge;
    use proptest::prelude::{
        Just, ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest,
    };

    const BEFORE: &str = "---\nid: 1\n---\n\n# T\n\nStatus: Draft\n\n## A\n\none\n\n## B\n\n*why?*\n\n## C\n\nthree\n";
    const AFTER: &str = "---\nid: 1\nmeeting: x\n---\n\n# T\n\nStatus: Draft\n\n## A\n\none\ntwo\n\n## B\n\n*why?*\n\n## C\n\nfour\n";

    #[test]
    fn edited_section_is_kept_and_others_are_regenerated() {
        let current = BEFORE.replace("*why?*", "Because of\n\n```\n## not a heading\n```");
        assert_eq!(
            merge(BEFORE, AFTER, &current),
            AFTER.replace("*why?*", "Because of\n\n```\n## not a heading\n```")
        );
        // Front matter and head are sections like others.
        let current = BEFORE.replace("id: 1", "id: 1\ntags: [x]");
        assert_eq!(
            merge(BEFORE, AFTER, &current),
            AFTER.replace("id: 1\nmeeting: x", "id: 1\ntags: [x]")
        );
        let current = BEFORE.replace("# T", "# A better title");
        assert_eq!(
            merge(BEFORE, AFTER, &current),
            AFTER.replace("# T", "# A better title")
        );
    }

    #[test]
    fn added_stays_and_deleted_stays_away() {
        let current = BEFORE.replace("## B\n\n*why?*\n", "## Mine\n\nown words\n");
        assert_eq!(
            merge(BEFORE, AFTER, &current),
            AFTER.replace("## B\n\n*why?*\n", "## Mine\n\nown words\n")
        );
        let current = format!("{BEFORE}## Mine\nown words");
        assert_eq!(
            merge(BEFORE, AFTER, &current),
            format!("{AFTER}\n## Mine\nown words")
        );
        let without = BEFORE.split_once("# T").map_or("", |(_, rest)| rest);
        assert!(merge(BEFORE, AFTER, &format!("# T{without}")).starts_with("# T"));
    }

    #[test]
    fn what_is_new_comes_where_it_belongs() {
        let after = AFTER.replace("## C", "## New\n\nnews\n\n## C");
        let current = BEFORE.replace("one", "ONE");
        assert_eq!(
            merge(BEFORE, &after, &current),
            after.replace("one\ntwo", "ONE")
        );
        let gone = AFTER.replace("## C\n\nfour\n", "");
        assert_eq!(
            merge(BEFORE, &gone, &current),
            gone.replace("one\ntwo", "ONE").trim_end().to_owned() + "\n"
        );
    }

    #[test]
    fn crlf_line_ends_are_kept() {
        let crlf = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(merge(BEFORE, AFTER, &crlf(BEFORE)), crlf(AFTER));
        assert_eq!(
            merge(BEFORE, AFTER, &crlf(&BEFORE.replace("*why?*", "So."))),
            crlf(&AFTER.replace("*why?*", "So."))
        );
        assert_eq!(
            merge(BEFORE, AFTER, &format!("\u{feff}{BEFORE}")),
            format!("\u{feff}{AFTER}")
        );
        assert_eq!(
            merge(BEFORE, AFTER, &BEFORE.replace("one\n", "one  \n")),
            AFTER
        );
        assert_eq!(merge(BEFORE, AFTER, BEFORE.trim_end()), AFTER);
    }

    #[test]
    fn empty_file_is_generated_again() {
        assert_eq!(merge(BEFORE, AFTER, ""), AFTER);
        assert_eq!(merge("", AFTER, " \n"), AFTER);
        // Text from before the first draft belongs to a person.
        assert_eq!(
            merge("", "# T\n\n## A\n\none\n", "# Mine\n"),
            "# Mine\n\n## A\n\none\n"
        );
    }

    /// Text of a few sections whose headings may repeat; `wild` adds open code blocks and mixed
    /// line ends.
    fn document(wild: bool) -> impl Strategy<Value = String> {
        let text = prop_oneof![
            Just("x"),
            Just("y"),
            Just(""),
            Just("```\n## q\n```"),
            Just(if wild { "~~~" } else { "z" })
        ];
        let heading = prop_oneof![Just("A"), Just("B"), Just("C"), Just("D")];
        let front = [
            "",
            "---\nid: 1\n---\n",
            "---\nid: 2\n---\n",
            "head\n",
            "---\nid: 1\n---\nhead\n",
            "\n\n",
        ];
        let ends = if wild {
            ["\n", "\n\n", "\r\n", " \n", ""]
        } else {
            ["\n", "\n\n", "\n", " \n", ""]
        };
        (
            prop::sample::select(front.to_vec()),
            prop::collection::vec((heading, text), 0..5),
            prop::sample::select(ends.to_vec()),
        )
            .prop_map(|(front, sections, end)| {
                let body: String = sections
                    .iter()
                    .map(|(heading, text)| format!("## {heading}\n{text}\n{end}"))
                    .collect();
                format!("{front}{body}")
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn merge_is_idempotent_and_keeps_unedited_text(before in document(false), generated in document(false), current in document(true)) {
            prop_assert_eq!(merge(&before, &generated, &before), generated.clone());
            prop_assert_eq!(merge(&before, &generated, &generated), generated.clone());
            let once = merge(&before, &generated, &current);
            prop_assert_eq!(merge(&before, &generated, &once), once.clone());
            prop_assert_eq!(merge(&generated, &generated, &once), once);
        }
    }
}
