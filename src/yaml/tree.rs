//! Parser events to nodes: scalars resolved by the YAML 1.2 core schema, aliases expanded within a
//! budget.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::error::YamlError;
use super::node::{Key, Node, Position, Value};
use crate::model::fault::Fault;

/// Maximum size of a file, in bytes.
const MOST_BYTES: usize = 4 << 20;
/// Maximum number of nodes, plus text in units of 32 bytes, after alias expansion, so that a few
/// aliases cannot exhaust memory.
const MOST_WEIGHT: usize = 400_000;
/// Maximum nesting depth, since readers recurse.
const MOST_DEPTH: usize = 48;

/// Reads `text` as one YAML document. An empty one is [`Value::Null`].
///
/// # Errors
/// The first position with invalid YAML, a duplicate key, or an exceeded limit.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Fault> {
    build(text).map_err(|error| error.fault(file, Position { line: 1, column: 1 }))
}

fn build(text: &str) -> Result<Node, YamlError> {
    if text.len() > MOST_BYTES {
        return Err(YamlError::at(
            Position { line: 1, column: 1 },
            format!("the file is larger than {} MiB", MOST_BYTES >> 20),
        ));
    }
    let settings = options! { flow_nesting_limit: MOST_DEPTH, block_nesting_limit: MOST_DEPTH, emit_comments: false };
    let parser = Parser::new_from_str_with_options(text, settings);
    let mut builder = Builder {
        text,
        parser,
        anchors: HashMap::new(),
        weight: 0,
    };
    let mut root = None;
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::DocumentStart(..) if root.is_some() => {
                return Err(YamlError::at(
                    place(&span),
                    "a second document begins here; a file must hold only one",
                ));
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd => {}
            event => root = Some(builder.node(event, &span)?),
        }
    }
    Ok(root.unwrap_or(Node {
        line: 1,
        column: 1,
        value: Value::Null,
        raw: String::new(),
    }))
}

struct Builder<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    weight: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        self.parser
            .next_event()
            .transpose()
            .map_err(|error| broken(&error))
    }

    fn expect(&mut self, from: &Span) -> Result<(Event<'a>, Span), YamlError> {
        self.next()?
            .ok_or_else(|| YamlError::at(place(from), "the file ends inside this value"))
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, YamlError> {
        if let Some(tag) = event.tag().filter(|tag| !is_string(tag)) {
            return Err(YamlError::at(
                place(span),
                format!("tags are not supported: `{}`", tag.original()),
            ));
        }
        let Position { line, column } = place(span);
        let anchor = event.anchor_id();
        let (value, raw) = match event {
            Event::Scalar(text, style, _, tag) => {
                let raw = span.slice(self.text).unwrap_or_default().to_owned();
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (
                    if plain {
                        resolve(&text)
                    } else {
                        Value::String(text.into_owned())
                    },
                    raw,
                )
            }
            Event::SequenceStart(..) => (self.list(span)?, String::new()),
            Event::MappingStart(..) => (self.map(span)?, String::new()),
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(YamlError::at(place(span), "this is not allowed here")),
        };
        let node = Node {
            line,
            column,
            value,
            raw,
        };
        self.weigh(1 + node.raw.len() / 32, span)?;
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
            self.weigh(weight(&node), span)?;
        }
        Ok(node)
    }

    fn list(&mut self, start: &Span) -> Result<Value, YamlError> {
        let mut entries = Vec::new();
        loop {
            match self.expect(start)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(entries)),
                (event, span) => entries.push(self.node(event, &span)?),
            }
        }
    }

    fn map(&mut self, start: &Span) -> Result<Value, YamlError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut places: HashMap<String, Position> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.expect(start)? {
                (Event::MappingEnd, _) => break,
                (event, span) => key(self.node(event, &span)?)?,
            };
            let (event, span) = self.expect(start)?;
            let node = self.node(event, &span)?;
            if key.name == "<<" {
                merge(node, &mut merged)?;
            } else if let Some(first) = places.insert(key.name.clone(), key.position()) {
                let Position { line, column } = first;
                return Err(YamlError::at(
                    key.position(),
                    format!("`{}` is given twice, first at {line}:{column}", key.name),
                ));
            } else {
                entries.push((key, node));
            }
        }
        for (key, node) in merged {
            if !places.contains_key(&key.name) {
                places.insert(key.name.clone(), key.position());
                entries.push((key, node));
            }
        }
        Ok(Value::Map(entries))
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(YamlError::at(
                place(span),
                "this alias refers to a value that contains it",
            ));
        };
        let weight = weight(node);
        let node = node.clone();
        self.weigh(weight, span)?;
        Ok(node)
    }

    fn weigh(&mut self, weight: usize, span: &Span) -> Result<(), YamlError> {
        self.weight += weight;
        if self.weight > MOST_WEIGHT {
            return Err(YamlError::at(
                place(span),
                "the file is too large with its aliases expanded",
            ));
        }
        Ok(())
    }
}

fn place(span: &Span) -> Position {
    Position {
        line: span.start.line() as u64,
        column: span.start.col() as u64 + 1,
    }
}

fn broken(error: &ScanError) -> YamlError {
    let marker = error.marker();
    YamlError::at(
        Position {
            line: marker.line() as u64,
            column: marker.col() as u64 + 1,
        },
        format!("not YAML: {}", error.info()),
    )
}

fn is_string(tag: &Tag) -> bool {
    tag.core_suffix() == Some("str")
}

fn weight(node: &Node) -> usize {
    let inner = match &node.value {
        Value::List(entries) => entries.iter().map(weight).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, node)| 1 + key.name.len() / 32 + weight(node))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => 0,
    };
    1 + node.raw.len() / 32 + inner
}

fn key(node: Node) -> Result<Key, YamlError> {
    let Node {
        line,
        column,
        value,
        raw,
    } = node;
    let name = match value {
        Value::String(name) => name,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => raw,
        Value::List(_) | Value::Map(_) => {
            return Err(YamlError::at(
                Position { line, column },
                "a key must be text",
            ));
        }
    };
    Ok(Key { line, column, name })
}

/// `<<: *base` and `<<: [*base, *more]`; earlier ones win.
fn merge(node: Node, merged: &mut Vec<(Key, Node)>) -> Result<(), YamlError> {
    let position = node.position();
    match node.value {
        Value::Map(entries) => merged.extend(entries),
        Value::List(nodes) => {
            for node in nodes {
                merge(node, merged)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {
            return Err(YamlError::at(
                position,
                "`<<` takes a map, or a list of maps",
            ));
        }
    }
    Ok(())
}

/// The core schema: <https://yaml.org/spec/1.2.2/#1032-tag-resolution>.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    // Rust also reads `inf`, `nan` and `infinity` as numbers; YAML does not.
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.contains(|c: char| c.is_ascii_digit());
    if !number {
        return Value::String(text.to_owned());
    }
    let radix = |prefix: &str, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(value) = text
        .parse()
        .ok()
        .or_else(|| radix("0x", 16))
        .or_else(|| radix("0o", 8))
    {
        return Value::Int(value);
    }
    text.parse()
        .map_or_else(|_| Value::String(text.to_owned()), Value::Float)
}
