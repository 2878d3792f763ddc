//! Compact label sets: one packed string each, since open alerts consist of little else.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A label or annotation map under construction; see [`LabelSet`].
pub type Labels = BTreeMap<String, String>;

/// An immutable set of names and values, sorted by name, built from [`Labels`].
///
/// The packed form is the length of a name, the length of its value, the name, the value, and so
/// on; lengths are in base 64 with the last digit marked. A map of strings takes eight times the
/// memory. Sets can share common entries, see [`LabelSet::share`].
#[derive(Clone, Default)]
pub struct LabelSet {
    own: Box<str>,
    shared: Option<Arc<str>>,
}

/// A borrowed [`LabelSet`].
#[derive(Clone, Copy, Default)]
pub struct LabelsRef<'a> {
    own: &'a str,
    shared: &'a str,
}

/// Entries that several label sets have in common.
#[derive(Debug, Clone, Default)]
pub struct SharedLabels(Option<Arc<str>>);

/// Minimum size of shared entries in bytes: below it, sharing costs more than it saves.
const WORTH_SHARING: usize = 32;

impl LabelSet {
    /// Builds a set from pairs with names in ascending order.
    #[must_use]
    pub fn of_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        Self::of_packed(&packed(pairs))
    }

    fn of_packed(text: &str) -> Self {
        // Copies to the exact size, since spare capacity would be wasted.
        Self {
            own: text.into(),
            shared: None,
        }
    }

    /// Moves the entries this set shares with previous ones into `common`, and narrows `common` to
    /// them.
    pub fn share(&mut self, common: &mut SharedLabels) {
        let before = common.0.as_deref().unwrap_or_default();
        let both = packed(Met {
            of: self.all(),
            with: before,
            apart: false,
        });
        if both.len() < WORTH_SHARING {
            // Candidate for the sets to come.
            common.0 = Some(packed(self.iter()).into());
            return;
        }
        let shared = match common.0.take().filter(|common| common.len() == both.len()) {
            Some(all) => all,
            None => both.into(),
        };
        self.own = packed(Met {
            of: self.all(),
            with: &shared,
            apart: true,
        })
        .as_str()
        .into();
        common.0 = Some(Arc::clone(&shared));
        self.shared = Some(shared);
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all().get(name)
    }

    /// All labels, in the order of their names.
    #[must_use]
    pub fn iter(&self) -> LabelsRef<'_> {
        self.all()
    }

    /// The borrowed set.
    #[must_use]
    pub fn all(&self) -> LabelsRef<'_> {
        LabelsRef {
            own: &self.own,
            shared: self.shared.as_deref().unwrap_or_default(),
        }
    }

    /// True when there are no labels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.shared.is_none()
    }
}

impl PartialEq for LabelSet {
    fn eq(&self, other: &Self) -> bool {
        match (&self.shared, &other.shared) {
            (None, None) => self.own == other.own,
            (Some(shared), Some(theirs)) if Arc::ptr_eq(shared, theirs) => self.own == other.own,
            _ => self.all() == other.all(),
        }
    }
}

impl Eq for LabelSet {}

impl Hash for LabelSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|pair| pair.hash(state));
    }
}

impl PartialEq for LabelsRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        Iterator::eq(*self, *other)
    }
}

impl Eq for LabelsRef<'_> {}

impl<'a> LabelsRef<'a> {
    /// The value of a label.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        let within = |mut text| {
            while let Some((pair, rest)) = first(text) {
                match pair.0.cmp(name) {
                    Ordering::Less => text = rest,
                    Ordering::Equal => return Some(pair.1),
                    // Names are sorted.
                    Ordering::Greater => return None,
                }
            }
            None
        };
        within(self.own).or_else(|| within(self.shared))
    }
}

impl<'a> Iterator for LabelsRef<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (pair, of_own) = match (first(self.own), first(self.shared)) {
            (Some((own, rest)), Some((shared, _))) if own.0 < shared.0 => (own, Some(rest)),
            (Some((own, rest)), None) => (own, Some(rest)),
            (_, shared) => (shared?.0, None),
        };
        match of_own {
            Some(rest) => self.own = rest,
            None => self.shared = first(self.shared)?.1,
        }
        Some(pair)
    }
}

/// Iterator over the entries of one set that a packed text also contains, or, with `apart`, over
/// those it lacks. Both are walked once.
struct Met<'a> {
    of: LabelsRef<'a>,
    with: &'a str,
    apart: bool,
}

impl<'a> Iterator for Met<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let pair = self.of.next()?;
            while let Some((_, rest)) = first(self.with).filter(|(theirs, _)| theirs.0 < pair.0) {
                self.with = rest;
            }
            let has = first(self.with).is_some_and(|(theirs, _)| theirs == pair);
            if has != self.apart {
                return Some(pair);
            }
        }
    }
}

/// The first name and value, and the remaining text.
fn first(text: &str) -> Option<((&str, &str), &str)> {
    let (name, rest) = read_length(text)?;
    let (value, rest) = read_length(rest)?;
    let (name, rest) = rest.split_at_checked(name)?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some(((name, value), rest))
}

fn packed<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::with_capacity(192);
    for (name, value) in pairs {
        write(&mut text, name, value);
    }
    text
}

fn write(text: &mut String, name: &str, value: &str) {
    write_length(text, name.len());
    write_length(text, value.len());
    text.push_str(name);
    text.push_str(value);
}

const MORE: u8 = 64;

fn write_length(text: &mut String, mut length: usize) {
    while length >= 64 {
        // Six bits at a time, each encoded as one single-byte character.
        text.push(char::from((length % 64) as u8 | MORE));
        length /= 64;
    }
    text.push(char::from(length as u8));
}

fn read_length(text: &str) -> Option<(usize, &str)> {
    let mut length = 0;
    for (place, byte) in text.bytes().enumerate().take(10) {
        length |= usize::from(byte % MORE) << (6 * place);
        if byte < MORE {
            return Some((length, text.get(place + 1..)?));
        }
    }
    None
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().fmt(f)
    }
}

/// As a map: the ids of conditions are made from this.
impl fmt::Debug for LabelsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

impl From<&Labels> for LabelSet {
    fn from(labels: &Labels) -> Self {
        Self::of_sorted(
            labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }
}

impl From<Labels> for LabelSet {
    fn from(labels: Labels) -> Self {
        Self::from(&labels)
    }
}

impl<const N: usize> From<[(String, String); N]> for LabelSet {
    fn from(pairs: [(String, String); N]) -> Self {
        Self::from(Labels::from(pairs))
    }
}

impl FromIterator<(String, String)> for LabelSet {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self::from(pairs.into_iter().collect::<Labels>())
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a str, &'a str);
    type IntoIter = LabelsRef<'a>;

    fn into_iter(self) -> LabelsRef<'a> {
        self.all()
    }
}

impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = LabelSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
                // Our own output is sorted; only unsorted input goes through a map.
                let (mut text, mut last, mut unordered) =
                    (String::with_capacity(192), String::new(), None::<Labels>);
                while let Some((name, value)) = map.next_entry::<Piece<'de>, Piece<'de>>()? {
                    if let Some(labels) = &mut unordered {
                        labels.insert(name.0.into_owned(), value.0.into_owned());
                        continue;
                    }
                    if !text.is_empty() && *last >= *name.0 {
                        let before = LabelsRef {
                            own: &text,
                            shared: "",
                        };
                        let mut labels: Labels = before
                            .map(|(name, value)| (name.to_owned(), value.to_owned()))
                            .collect();
                        labels.insert(name.0.into_owned(), value.0.into_owned());
                        unordered = Some(labels);
                        continue;
                    }
                    write(&mut text, &name.0, &value.0);
                    last.clear();
                    last.push_str(&name.0);
                }
                Ok(unordered.map_or_else(|| LabelSet::of_packed(&text), LabelSet::from))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A string, borrowed when it has no escapes.
#[derive(Deserialize)]
struct Piece<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::Labels;
    use super::{LabelSet, SharedLabels};
    use proptest::prelude::{prop_assert_eq, proptest};
    use std::hash::BuildHasher;

    proptest! {
        #[test]
        fn label_set_behaves_as_a_map(labels in proptest::collection::btree_map(".{0,90}", "(?s).{0,90}", 0..6)) {
            let labels: Labels = labels;
            let set = LabelSet::from(&labels);
            let map: Labels = set.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(&map, &labels);
            prop_assert_eq!(labels.iter().all(|(name, value)| set.get(name) == Some(value)), true);
            prop_assert_eq!(format!("{set:?}"), format!("{labels:?}"));
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&labels).unwrap());
            prop_assert_eq!(serde_json::from_str::<LabelSet>(&text).unwrap(), set);
        }
    }

    proptest! {
        #[test]
        fn sharing_does_not_change_a_set(
            sets in proptest::collection::vec(proptest::collection::btree_map("[a-d]", "[xy]|[xy]{40}", 0..4), 0..8),
        ) {
            let whole: Vec<LabelSet> = sets.iter().map(|set: &Labels| LabelSet::from(set)).collect();
            let (mut shared, mut common) = (whole.clone(), SharedLabels::default());
            shared.iter_mut().for_each(|set| set.share(&mut common));
            prop_assert_eq!(&shared, &whole);
            let hasher = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
            for (set, labels) in shared.iter().zip(&sets) {
                prop_assert_eq!(hasher.hash_one(set), hasher.hash_one(LabelSet::from(labels)));
                prop_assert_eq!(labels.iter().all(|(name, value)| set.get(name) == Some(value)), true);
                prop_assert_eq!(set.is_empty(), labels.is_empty());
                prop_assert_eq!(serde_json::to_string(set).unwrap(), serde_json::to_string(labels).unwrap());
            }
        }
    }

    #[test]
    fn common_entries_are_shared() {
        let set = |pod: &str| {
            LabelSet::from(
                [("cluster", "c".repeat(40).as_str()), ("pod", pod)]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            )
        };
        let (mut sets, mut common) = ([set("a"), set("b"), set("c")], SharedLabels::default());
        sets.iter_mut().for_each(|set| set.share(&mut common));
        assert!(std::sync::Arc::ptr_eq(
            sets[1].shared.as_ref().unwrap(),
            sets[2].shared.as_ref().unwrap()
        ));
        assert_eq!(sets[2].own.len(), "pod".len() + "c".len() + 2);
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_stays() {
        let set: LabelSet = serde_json::from_str(r#"{"b":"1","a":"\n","b":"2"}"#).unwrap();
        assert_eq!(
            set,
            LabelSet::from([
                ("a".to_owned(), "\n".to_owned()),
                ("b".to_owned(), "2".to_owned())
            ])
        );
        assert_eq!(set.get("c"), None);
        assert!(LabelSet::default().is_empty());
    }
}
