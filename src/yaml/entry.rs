//! Fault-tolerant reading of an entry: reports all its faults and reads the rest.

use serde::de::DeserializeOwned;

use super::error::YamlError;
use super::node::{Node, Position, Value};
use crate::model::fault::Fault;

/// Reads a node as a `T` and records all faults: each unknown key, each wrong value, and each key
/// of `required` that is missing, unless an unknown key is likely a misspelling of it. Faulty
/// values count as omitted, so a `T` whose fields are all optional holds the rest, for later
/// checks; a check that must know if a key was omitted looks at the node. `None` if nothing could
/// be read.
pub(crate) fn read_entry<T: DeserializeOwned>(
    file: &str,
    node: &Node,
    required: &[&str],
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let mut lost = Vec::new();
    let read = read_rest(file, node, &mut lost, faults);
    if matches!(node.value, Value::Map(_)) {
        for name in required {
            match node.get(name) {
                None if lost
                    .iter()
                    .any(|(holder, key)| *holder == node.position() && key == name) => {}
                None => faults.push(node.position().fault(file, format!("`{name}` is missing"))),
                Some(given) if given.value == Value::Null => faults.push(
                    given
                        .position()
                        .fault(file, format!("`{name}` has no value")),
                ),
                Some(_) => {}
            }
        }
    }
    read
}

/// Removes the innermost faulty part and reads again until no fault is left. Records in `lost` the
/// maps that lost a key, by position, with that key and its likely correction, so that its absence
/// is not reported too.
fn read_rest<T: DeserializeOwned>(
    file: &str,
    whole: &Node,
    lost: &mut Vec<(Position, String)>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let mut error = match T::deserialize(whole) {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let mut node = whole.clone();
    loop {
        let YamlError {
            path,
            missing,
            meant,
            ..
        } = error.clone();
        let around = path
            .iter()
            .rev()
            .try_fold(&node, |node, &place| part(node, place))?
            .position();
        if !missing.is_some_and(|name| lost.contains(&(around, name.to_owned()))) {
            faults.push(error.fault(file, whole.position()));
        }
        let (last, outer) = path.split_first()?;
        let holder = outer
            .iter()
            .rev()
            .try_fold(&mut node, |node, &place| part_mut(node, place))?;
        let at = holder.position();
        match &mut holder.value {
            Value::Map(entries) => {
                lost.push((at, entries.remove(*last).0.name));
                lost.extend(meant.map(|name| (at, name.to_owned())));
            }
            Value::List(entries) => drop(entries.remove(*last)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {
                return None;
            }
        }
        error = match T::deserialize(&node) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
    }
}

fn part(node: &Node, place: usize) -> Option<&Node> {
    match &node.value {
        Value::List(entries) => entries.get(place),
        Value::Map(entries) => entries.get(place).map(|(_, node)| node),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => None,
    }
}

fn part_mut(node: &mut Node, place: usize) -> Option<&mut Node> {
    match &mut node.value {
        Value::List(entries) => entries.get_mut(place),
        Value::Map(entries) => entries.get_mut(place).map(|(_, node)| node),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => None,
    }
}
