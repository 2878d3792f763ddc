//! Guarded CEL: an expression is checked against our own schema when it is loaded and evaluated within bounds.
//!
//! What is loaded cannot fail for a wrong name, type or word later; what is left is data that is not known. A field without a value, and a
//! label that is not there, make an expression [`Truth::Unknown`] wherever the result hangs on them: never a silent false.
//! `has(signal.labels.team)` and `"team" in signal.labels` ask without that risk. As CEL has it, `false && unknown` is false and
//! `true || unknown` is true, in either order.

mod check;
pub mod facts;
mod guard;
mod schema;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cel::objects::Key;
use cel::parser::{Expression, Parser};
use cel::{Context, Env, ExecutionError, Value};

use facts::{FieldValue, Scope};
use schema::Type;

/// The objects an expression may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// `incident`
    Incident,
    /// `signal`
    Signal,
    /// `intervention`
    Intervention,
    /// `request`
    Request,
    /// `near_miss`
    NearMiss,
}

/// What an expression says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be evaluated, and why.
    Unknown(String),
}

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprFault {
    /// Offset into the source, in characters.
    pub offset: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// A checked expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    source: String,
    expression: Expression,
    /// What it reads; nothing else is handed to it.
    reads: BTreeMap<Root, BTreeSet<(&'static str, Type)>>,
    /// CEL's own functions. Building them takes longer than evaluating, so they are built once.
    functions: Arc<Env>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

/// Checks and compiles `source`, which may name `roots` and must give a bool.
///
/// # Errors
/// The first fault found.
pub fn compile(source: &str, roots: &[Root]) -> Result<Expr, ExprFault> {
    guard::before_parsing(source)?;
    let (mut expression, places) = Parser::new().parse_with_source_info(source).map_err(|errors| guard::not_cel(source, &errors))?;
    guard::after_parsing(&expression)?;
    let reads = check::check(&mut expression, source, &places, roots)?;
    Ok(Expr(Arc::new(Compiled { source: source.to_owned(), expression, reads, functions: Arc::new(Env::stdlib()) })))
}

impl Expr {
    /// The text it was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// True when it reads something of `root`.
    #[must_use]
    pub fn names(&self, root: Root) -> bool {
        self.0.reads.contains_key(&root)
    }

    /// Evaluates it. Never panics, never runs long: at most once through each list for each mention of it.
    #[must_use]
    pub fn evaluate(&self, scope: &Scope) -> Truth {
        let mut context = Context::with_env(Arc::clone(&self.0.functions));
        for (root, fields) in &self.0.reads {
            let Some(object) = scope.get(*root) else {
                return Truth::Unknown(format!("there is no {}", root.words()));
            };
            let known = root.fields().iter().enumerate().filter(|(_, field)| fields.contains(&(field.name, field.kind)));
            let known = known.filter_map(|(index, field)| Some((Key::from(field.name), value(object.value(index))?)));
            let map = cel::objects::Map { map: Arc::new(known.collect::<HashMap<_, _>>()) };
            context.add_variable_from_value(root.name(), Value::Map(map));
        }
        match Value::resolve(&self.0.expression, &context) {
            Ok(Value::Bool(true)) => Truth::True,
            Ok(Value::Bool(false)) => Truth::False,
            Ok(_) => Truth::Unknown("it gives neither true nor false".to_owned()),
            Err(ExecutionError::NoSuchKey(key)) => Truth::Unknown(format!("`{key}` is not known")),
            Err(error) => Truth::Unknown(error.to_string()),
        }
    }
}

/// A field as CEL's value; `None` when it is not known.
fn value(field: FieldValue<'_>) -> Option<Value> {
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    Some(match field {
        FieldValue::Unknown => return None,
        FieldValue::Text(value) => text(value),
        FieldValue::Number(value) => Value::Float(value),
        FieldValue::Bool(value) => Value::Bool(value),
        FieldValue::Texts(list) => Value::List(Arc::new(list.iter().map(|value| text(value)).collect())),
        FieldValue::Labels(labels) => {
            let labels = labels.iter().map(|(name, value)| (Key::from(name.as_str()), text(value)));
            Value::Map(cel::objects::Map { map: Arc::new(labels.collect()) })
        }
    })
}

#[cfg(test)]
mod tests;
