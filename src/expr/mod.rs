//! Guarded CEL: an expression is checked against our own schema when it is loaded and evaluated within bounds.
//!
//! What is loaded cannot fail for a wrong name, type or word later; what is left is data that is not known. A field without a value, and a
//! label that is not there, make an expression [`Truth::Unknown`] wherever the result hangs on them: never a silent false.
//! `has(signal.labels.team)` and `"team" in signal.labels` ask without that risk. As CEL has it, `false && unknown` is false and
//! `true || unknown` is true, in either order.
//!
//! The `cel` crate parses; what is checked is evaluated by a tree of our own, since every criterion is asked of every signal.

mod check;
mod evaluate;
pub mod facts;
pub mod fault;
mod guard;
pub(crate) mod json;
pub mod root;
mod schema;
mod tree;
pub mod truth;

use std::sync::Arc;

use cel::parser::Parser;

use facts::Scope;
use fault::ExprFault;
use root::Root;
use truth::Truth;

/// A checked expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    source: String,
    tree: tree::Logic,
    /// The roots it reads.
    roots: Vec<Root>,
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
    let (mut expression, places) = Parser::new()
        .parse_with_source_info(source)
        .map_err(|errors| guard::not_cel(source, &errors))?;
    guard::after_parsing(&expression)?;
    let roots = check::check(&mut expression, source, &places, roots)?
        .into_keys()
        .collect();
    let tree = tree::tree(&expression).map_err(|id| ExprFault {
        offset: places.offset_for(id).map_or(0, |(start, _)| start as usize),
        message: "this part of CEL is not available".to_owned(),
    })?;
    Ok(Expr(Arc::new(Compiled {
        source: source.to_owned(),
        tree,
        roots,
    })))
}

impl Expr {
    /// The text it was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Evaluates it. Never panics, never runs long: at most once through each list for each mention of it.
    #[must_use]
    pub fn evaluate(&self, scope: &Scope<'_>) -> Truth {
        match self.0.roots.iter().find(|root| scope.get(**root).is_none()) {
            Some(root) => Truth::Unknown(format!("there is no {}", root.words())),
            None => evaluate::evaluate(&self.0.tree, scope),
        }
    }
}

#[cfg(test)]
mod tests;
