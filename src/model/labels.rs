//! Labels as they are kept: one piece of text. A million open alerts hold little else.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::Labels;

/// Names and values, in the order of the names, each name once. Made from [`Labels`] and never changed.
///
/// Inside it is the length of a name, the length of its value, the name, the value, and so on, the lengths in base 64 with the last digit
/// marked: a map of strings takes eight times the memory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LabelSet(Box<str>);

/// Labels of a [`LabelSet`], borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelsOf<'a>(&'a str);

impl LabelSet {
    /// From names in ascending order.
    #[must_use]
    pub fn of_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let size = pairs.clone().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut text = String::with_capacity(size);
        for (name, value) in pairs {
            write_length(&mut text, name.len());
            write_length(&mut text, value.len());
            text.push_str(name);
            text.push_str(value);
        }
        Self(text.into())
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all().get(name)
    }

    /// All of them, in the order of the names.
    #[must_use]
    pub fn iter(&self) -> LabelsOf<'_> {
        self.all()
    }

    /// They, borrowed.
    #[must_use]
    pub fn all(&self) -> LabelsOf<'_> {
        LabelsOf(&self.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> LabelsOf<'a> {
    /// The value of a name.
    #[must_use]
    pub fn get(mut self, name: &str) -> Option<&'a str> {
        self.find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

impl<'a> Iterator for LabelsOf<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = read_length(self.0)?;
        let (value, rest) = read_length(rest)?;
        let (name, rest) = rest.split_at_checked(name)?;
        let (value, rest) = rest.split_at_checked(value)?;
        self.0 = rest;
        Some((name, value))
    }
}

const MORE: u8 = 64;

fn write_length(text: &mut String, mut length: usize) {
    while length >= 64 {
        // Six bits at a time, all of them characters of one byte.
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
impl fmt::Debug for LabelsOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

impl From<&Labels> for LabelSet {
    fn from(labels: &Labels) -> Self {
        Self::of_sorted(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
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
    type IntoIter = LabelsOf<'a>;

    fn into_iter(self) -> LabelsOf<'a> {
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
                // What we wrote ourselves is in order; only what is not goes through a map.
                let (mut text, mut last, mut unordered) = (String::with_capacity(192), String::new(), None::<Labels>);
                while let Some((name, value)) = map.next_entry::<Piece<'de>, Piece<'de>>()? {
                    if let Some(labels) = &mut unordered {
                        labels.insert(name.0.into_owned(), value.0.into_owned());
                        continue;
                    }
                    if !text.is_empty() && *last >= *name.0 {
                        let mut labels: Labels = LabelsOf(&text).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                        labels.insert(name.0.into_owned(), value.0.into_owned());
                        unordered = Some(labels);
                        continue;
                    }
                    write_length(&mut text, name.0.len());
                    write_length(&mut text, value.0.len());
                    text.push_str(&name.0);
                    text.push_str(&value.0);
                    last.clear();
                    last.push_str(&name.0);
                }
                // A copy of just its size: what is cut off a piece of text is of no use to anybody.
                Ok(unordered.map_or_else(|| LabelSet(text.as_str().into()), LabelSet::from))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A string, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Piece<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::LabelSet;
    use crate::model::event::Labels;
    use proptest::prelude::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn they_are_what_a_map_would_be(labels in proptest::collection::btree_map(".{0,90}", "(?s).{0,90}", 0..6)) {
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

    #[test]
    fn of_a_name_that_comes_twice_the_last_stays() {
        let set: LabelSet = serde_json::from_str(r#"{"b":"1","a":"\n","b":"2"}"#).unwrap();
        assert_eq!(set, LabelSet::from([("a".to_owned(), "\n".to_owned()), ("b".to_owned(), "2".to_owned())]));
        assert_eq!(set.get("c"), None);
        assert!(LabelSet::default().is_empty());
    }
}
