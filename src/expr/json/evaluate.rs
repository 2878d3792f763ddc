//! Evaluates a tree over named JSON values. Values in the body are borrowed wherever possible.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::functions;
use super::functions::{bounded, number, text};
use super::node::{EachKind, JsonNode, MacroCall};
use super::times;
use super::times::what;
use crate::expr::json::failure::Failure;
use crate::expr::json::inputs::Given;
use crate::expr::tree::{Arithmetic, OrderTest};

type Value<'a> = Cow<'a, Json>;

pub(crate) fn evaluate<'a>(
    node: &'a JsonNode,
    given: &Given<'a>,
    steps: &mut u64,
) -> Result<Value<'a>, Failure> {
    Run {
        given,
        variables: Vec::new(),
        steps,
    }
    .value(node)
}

pub(crate) fn give<'a>(
    node: &'a JsonNode,
    given: &Given<'a>,
    steps: &mut u64,
) -> Result<Json, Failure> {
    let mut run = Run {
        given,
        variables: Vec::new(),
        steps,
    };
    let value = run.value(node)?;
    run.owned(value)
}

struct Run<'a, 'r> {
    given: &'r Given<'a>,
    /// Variables of the enclosing macros, outermost first.
    variables: Vec<Value<'a>>,
    steps: &'r mut u64,
}

impl<'a> Run<'a, '_> {
    fn spend(&mut self, steps: usize) -> Result<(), Failure> {
        *self.steps = self.steps.checked_sub(steps as u64).ok_or(Failure::Spent)?;
        Ok(())
    }

    /// Charges the steps for copying a value of this size.
    fn weigh(&mut self, value: &Json) -> Result<(), Failure> {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => self.spend(1),
            Json::String(text) => self.spend(1 + text.len() / 16),
            Json::Array(list) => {
                self.spend(1)?;
                list.iter().try_for_each(|value| self.weigh(value))
            }
            Json::Object(map) => {
                self.spend(1)?;
                map.iter().try_for_each(|(key, value)| {
                    self.spend(1 + key.len() / 16)
                        .and_then(|()| self.weigh(value))
                })
            }
        }
    }

    fn owned(&mut self, value: Value<'a>) -> Result<Json, Failure> {
        match value {
            Cow::Owned(value) => Ok(value),
            Cow::Borrowed(value) => {
                self.weigh(value)?;
                Ok(value.clone())
            }
        }
    }

    fn value(&mut self, node: &'a JsonNode) -> Result<Value<'a>, Failure> {
        self.spend(1)?;
        Ok(match node {
            JsonNode::Literal(value) => Cow::Borrowed(value),
            JsonNode::Name(name) => match self.given.get(name) {
                Some(value) => Cow::Borrowed(value),
                None => return Err(Failure::Absent((*name).to_owned())),
            },
            JsonNode::Variable(place, name) => match self.variables.get(*place).cloned() {
                Some(Cow::Borrowed(value)) => Cow::Borrowed(value),
                Some(Cow::Owned(value)) => {
                    self.weigh(&value)?;
                    Cow::Owned(value)
                }
                None => return Err(Failure::Absent(name.clone())),
            },
            JsonNode::Field(operand, field) => {
                let found = self.value(operand)?;
                inside(found, field).ok_or_else(|| Failure::Absent(path(node)))?
            }
            JsonNode::Has(operand, field) => Cow::Owned(match self.value(operand) {
                Ok(found) => inside(found, field)
                    .is_some_and(|value| !value.is_null())
                    .into(),
                Err(Failure::Absent(_)) => false.into(),
                Err(failure) => return Err(failure),
            }),
            JsonNode::Index(both) => self.index(node, &both.0, &both.1)?,
            JsonNode::List(nodes) => {
                let mut list = Vec::with_capacity(nodes.len());
                for node in nodes {
                    let value = self.value(node)?;
                    list.push(self.owned(value)?);
                }
                Cow::Owned(Json::Array(list))
            }
            JsonNode::Map(nodes) => Cow::Owned(self.map(nodes)?),
            JsonNode::Not(operand) => Cow::Owned((!self.truth(operand)?).into()),
            JsonNode::Negative(operand) => Cow::Owned(number(-self.number(operand)?)?),
            JsonNode::Logic(settles, both) => {
                Cow::Owned(self.logic(*settles, &both.0, &both.1)?.into())
            }
            JsonNode::Choice(all) => {
                let yes = self.truth(&all.0)?;
                self.value(if yes { &all.1 } else { &all.2 })?
            }
            JsonNode::Equal(wanted, both) => {
                let (left, right) = (self.value(&both.0)?, self.value(&both.1)?);
                self.weigh(&left)?;
                Cow::Owned((equal(&left, &right) == *wanted).into())
            }
            JsonNode::Order(order, both) => {
                let (left, right) = (self.value(&both.0)?, self.value(&both.1)?);
                Cow::Owned(ordered(*order, &left, &right)?.into())
            }
            JsonNode::Arithmetic(Arithmetic::Plus, both) => {
                let (left, right) = (self.value(&both.0)?, self.value(&both.1)?);
                Cow::Owned(self.sum(left, right)?)
            }
            JsonNode::Arithmetic(kind, both) => {
                let (left, right) = (self.number(&both.0)?, self.number(&both.1)?);
                Cow::Owned(number(match kind {
                    Arithmetic::Times => left * right,
                    Arithmetic::By => left / right,
                    Arithmetic::Minus | Arithmetic::Plus => left - right,
                })?)
            }
            JsonNode::In(both) => {
                let (entry, list) = (self.value(&both.0)?, self.value(&both.1)?);
                Cow::Owned(self.within(&entry, &list)?.into())
            }
            JsonNode::Each(each) => Cow::Owned(self.each(each)?),
            JsonNode::Call(function, nodes) => {
                let mut values = Vec::with_capacity(nodes.len());
                for node in nodes {
                    let value = self.present(node)?;
                    self.length(&value)?;
                    values.push(value);
                }
                let given = functions::call(*function, &values)?;
                self.weigh(&given)?;
                Cow::Owned(given)
            }
            JsonNode::First(nodes) => return self.first(nodes),
            JsonNode::Extract(operand, pattern) => {
                let found = self.present(operand)?;
                self.length(&found)?;
                let hit = pattern
                    .captures(text(&found)?)
                    .and_then(|hit| hit.get(1).or_else(|| hit.get(0)));
                match hit {
                    Some(hit) => Cow::Owned(hit.as_str().into()),
                    None => {
                        return Err(Failure::Absent(format!(
                            "a match for `{pattern}` in {}",
                            path(operand)
                        )));
                    }
                }
            }
            JsonNode::Matches(operand, pattern) => {
                let found = self.present(operand)?;
                self.length(&found)?;
                Cow::Owned(pattern.is_match(text(&found)?).into())
            }
            JsonNode::Local(operand, zone) => {
                let found = self.present(operand)?;
                let zone = match zone {
                    Ok(zone) => *zone,
                    Err(node) => {
                        let name = self.present(node)?;
                        let name = text(&name)?;
                        times::zone(name)
                            .ok_or_else(|| Failure::Wrong(format!("`{name}` is not a time zone")))?
                    }
                };
                Cow::Owned(times::local(text(&found)?, zone, self.given.reads_later())?.into())
            }
        })
    }

    /// Charges the steps for scanning a string or list.
    fn length(&mut self, value: &Json) -> Result<(), Failure> {
        match value {
            Json::String(text) => self.spend(text.len() / 16),
            Json::Array(list) => self.spend(list.len()),
            _ => Ok(()),
        }
    }

    fn truth(&mut self, node: &'a JsonNode) -> Result<bool, Failure> {
        let value = self.present(node)?;
        value
            .as_bool()
            .ok_or_else(|| Failure::Wrong(format!("{} is neither true nor false", what(&value))))
    }

    fn number(&mut self, node: &'a JsonNode) -> Result<f64, Failure> {
        let value = self.present(node)?;
        value
            .as_f64()
            .ok_or_else(|| Failure::Wrong(format!("{} is not a number", what(&value))))
    }

    fn logic(
        &mut self,
        settles: bool,
        left: &'a JsonNode,
        right: &'a JsonNode,
    ) -> Result<bool, Failure> {
        match self.truth(left) {
            Ok(value) if value == settles => Ok(settles),
            Ok(_) => self.truth(right),
            Err(Failure::Spent) => Err(Failure::Spent),
            // Either side may decide it, even if the other one fails.
            Err(failure) => match self.truth(right) {
                Ok(value) if value == settles => Ok(settles),
                _ => Err(failure),
            },
        }
    }

    fn index(
        &mut self,
        node: &'a JsonNode,
        operand: &'a JsonNode,
        key: &'a JsonNode,
    ) -> Result<Value<'a>, Failure> {
        let (found, key) = (self.value(operand)?, self.value(key)?);
        let absent = || Failure::Absent(format!("{}[{key}]", path(operand)));
        match key.as_ref() {
            Json::String(key) => inside(found, key).ok_or_else(absent),
            Json::Number(place) => {
                let place = place
                    .as_u64()
                    .and_then(|place| usize::try_from(place).ok())
                    .ok_or_else(absent)?;
                match found {
                    Cow::Borrowed(value) => value.get(place).map(Cow::Borrowed),
                    Cow::Owned(Json::Array(mut list)) => {
                        (place < list.len()).then(|| Cow::Owned(list.swap_remove(place)))
                    }
                    Cow::Owned(_) => None,
                }
                .ok_or_else(absent)
            }
            other => Err(Failure::Wrong(format!(
                "{} is not a key or index of {}",
                what(other),
                path(node)
            ))),
        }
    }

    fn map(&mut self, nodes: &'a [(JsonNode, JsonNode)]) -> Result<Json, Failure> {
        let mut map = Map::new();
        for (key, value) in nodes {
            let key = self.value(key)?;
            let key = text(&key)?.to_owned();
            // Absent values are omitted: `{"url": body.url}` of a body without one is a map without
            // it.
            match self.value(value) {
                Ok(value) if value.is_null() => {}
                Ok(value) => {
                    let value = self.owned(value)?;
                    map.insert(key, value);
                }
                Err(Failure::Absent(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Json::Object(map))
    }

    fn sum(&mut self, left: Value<'a>, right: Value<'a>) -> Result<Json, Failure> {
        self.weigh(&right)?;
        let left = self.owned(left)?;
        match (left, right.into_owned()) {
            (Json::String(left), Json::String(right)) => {
                bounded(left.len() + right.len())?;
                Ok((left + &right).into())
            }
            (Json::Array(mut left), Json::Array(right)) => {
                left.extend(right);
                Ok(left.into())
            }
            (Json::Object(mut left), Json::Object(right)) => {
                left.extend(right);
                Ok(left.into())
            }
            (left, right) => match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => number(left + right),
                _ => Err(Failure::Wrong(format!(
                    "{} and {} cannot be added",
                    what(&left),
                    what(&right)
                ))),
            },
        }
    }

    fn within(&mut self, entry: &Json, list: &Json) -> Result<bool, Failure> {
        self.length(list)?;
        match list {
            Json::Array(list) => Ok(list.iter().any(|other| equal(entry, other))),
            Json::Object(map) => Ok(map.contains_key(text(entry)?)),
            other => Err(Failure::Wrong(format!(
                "`in` needs a list or a map, and this is {}",
                what(other)
            ))),
        }
    }

    /// The first node with a value; otherwise the result of the last one.
    fn first(&mut self, nodes: &'a [JsonNode]) -> Result<Value<'a>, Failure> {
        let mut last = Err(Failure::Absent("each of `first(…)`".to_owned()));
        for node in nodes {
            last = self.value(node);
            match &last {
                Ok(value)
                    if value.is_null()
                        || value.as_str().is_some_and(|text| text.trim().is_empty()) => {}
                Ok(_) | Err(Failure::Spent) => return last,
                Err(_) => {}
            }
        }
        last
    }

    /// A value that is not null.
    fn present(&mut self, node: &'a JsonNode) -> Result<Value<'a>, Failure> {
        let value = self.value(node)?;
        if value.is_null() {
            Err(Failure::Absent(path(node)))
        } else {
            Ok(value)
        }
    }

    fn each(&mut self, each: &'a MacroCall) -> Result<Json, Failure> {
        let members: Vec<Value<'a>> = match self.present(&each.over)? {
            Cow::Borrowed(Json::Array(list)) => list.iter().map(Cow::Borrowed).collect(),
            Cow::Owned(Json::Array(list)) => list.into_iter().map(Cow::Owned).collect(),
            Cow::Borrowed(Json::Object(map)) => map
                .keys()
                .map(|key| Cow::Owned(key.as_str().into()))
                .collect(),
            Cow::Owned(Json::Object(map)) => map
                .into_iter()
                .map(|(key, _)| Cow::Owned(key.into()))
                .collect(),
            other => return Err(Failure::Wrong(format!("{} is not a list", what(&other)))),
        };
        self.spend(members.len())?;
        let (mut gathered, mut count, mut failed) = (Vec::new(), 0_u64, None);
        for member in members {
            self.variables.push(member);
            let found = self.member(each);
            self.variables.pop();
            match found {
                Ok(None) => {}
                Ok(Some(value)) if each.kind == EachKind::Gather => gathered.push(value),
                Ok(Some(value)) => match (each.kind, value.as_bool()) {
                    (EachKind::Exists, Some(true)) => return Ok(true.into()),
                    (EachKind::All, Some(false)) => return Ok(false.into()),
                    (_, Some(true)) => count += 1,
                    (_, Some(false)) => {}
                    (_, None) => {
                        failed = failed.or(Some(Failure::Wrong(format!(
                            "{} is neither true nor false",
                            what(&value)
                        ))));
                    }
                },
                Err(Failure::Spent) => return Err(Failure::Spent),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        match (failed, each.kind) {
            (Some(failure), _) => Err(failure),
            (None, EachKind::Gather) => Ok(Json::Array(gathered)),
            (None, EachKind::Exists) => Ok(false.into()),
            (None, EachKind::All) => Ok(true.into()),
            (None, EachKind::One) => Ok((count == 1).into()),
        }
    }

    /// The macro's result for its current member; `None` when it is filtered out.
    fn member(&mut self, each: &'a MacroCall) -> Result<Option<Json>, Failure> {
        if let Some(filter) = &each.filter
            && !self.truth(filter)?
        {
            return Ok(None);
        }
        let value = self.value(&each.body)?;
        self.owned(value).map(Some)
    }
}

/// A field of a map.
fn inside<'a>(value: Value<'a>, field: &str) -> Option<Value<'a>> {
    match value {
        Cow::Borrowed(value) => value.as_object()?.get(field).map(Cow::Borrowed),
        Cow::Owned(Json::Object(mut map)) => map.remove(field).map(Cow::Owned),
        Cow::Owned(_) => None,
    }
}

fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        // 1 and 1.0 are equal; ids beyond 2^53 stay distinct.
        (Json::Number(left), Json::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal(left, right))
        }
        (left, right) => left == right,
    }
}

fn ordered(order: OrderTest, left: &Json, right: &Json) -> Result<bool, Failure> {
    let found = match (left, right) {
        (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
        _ => left
            .as_f64()
            .zip(right.as_f64())
            .and_then(|(left, right)| left.partial_cmp(&right)),
    };
    let found = found.ok_or_else(|| {
        Failure::Wrong(format!("{} and {} have no order", what(left), what(right)))
    })?;
    Ok(match order {
        OrderTest::Less => found.is_lt(),
        OrderTest::AtMost => found.is_le(),
        OrderTest::More => found.is_gt(),
        OrderTest::AtLeast => found.is_ge(),
    })
}

/// The path an expression reads, as written.
fn path(node: &JsonNode) -> String {
    match node {
        JsonNode::Name(name) => (*name).to_owned(),
        JsonNode::Variable(_, name) => name.clone(),
        JsonNode::Field(operand, field) => format!("{}.{field}", path(operand)),
        JsonNode::Index(both) => format!("{}[…]", path(&both.0)),
        _ => "(…)".to_owned(),
    }
}
