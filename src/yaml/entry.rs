//! Entries with more than one fault: each is told, and what can be read is read.

use serde::de::DeserializeOwned;

use super::error::YamlError;
use super::node::{Node, Position, Value};
use crate::model::fault::Fault;

/// Reads a node as a `T`, with a fault for everything in it that keeps it from being one: each unknown key, each wrong value, and each key
/// of `required` that is missing, unless an unknown key was likely meant to be it. What is faulty counts as left out, so a `T` whose fields are all optional holds what could be read, for
/// checks that come after; whoever must know whether a key was left out asks the node. `None`: not even that was possible.
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

/// Takes away the innermost faulty part and reads again, until nothing is wrong with what is left. Notes in `lost` the maps that lost a
/// key, by their place, with that key and the one that was meant by it: their absence is no fault of its own.
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
