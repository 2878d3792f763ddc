//! Limits on an expression's text and tree.
//!
//! CEL's parser and interpreter recurse without limit: 90 terms in a row or 20 nested brackets
//! overflowed a 2 MiB stack, which ends the process. So the text is checked before it is parsed,
//! and the tree before it is walked.

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use cel::parser::{Expression, ParseErrors};

use crate::expr::fault::ExprFault;

const MOST_BYTES: usize = 2048;
const MOST_NESTING: usize = 12;
const MOST_OPERATORS: usize = 64;
/// Also limits the length of a chain `a.b.c`.
const MOST_DOTS: usize = 64;
const MOST_DEPTH: usize = 32;
const MOST_NODES: usize = 200;

fn fault(offset: usize, message: impl Into<String>) -> ExprFault {
    ExprFault {
        offset,
        message: message.into(),
    }
}

/// Counts brackets, operators and dots outside of strings and comments.
pub(crate) fn before_parsing(source: &str) -> Result<(), ExprFault> {
    if source.len() > MOST_BYTES {
        return Err(fault(
            0,
            format!("the expression is longer than {MOST_BYTES} bytes; split it up"),
        ));
    }
    if source.trim().is_empty() {
        return Err(fault(
            0,
            "the expression is empty; leave the key out to let everything pass",
        ));
    }
    let chars: Vec<char> = source.chars().collect();
    let (mut nesting, mut operators, mut dots) = (0_usize, 0_usize, 0_usize);
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        at += 1;
        match c {
            '"' | '\'' => at = end_of_string(&chars, start, is_raw(&chars, start))?,
            '/' if chars.get(at) == Some(&'/') => {
                at = chars[at..]
                    .iter()
                    .position(|c| matches!(c, '\n' | '\r' | '\u{c}'))
                    .map_or(chars.len(), |length| at + length);
            }
            '(' | '[' | '{' => {
                nesting += 1;
                operators += usize::from(c != '(');
            }
            ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
            '.' => dots += 1,
            '&' | '|' | '=' | '!' | '<' | '>' => {
                operators += 1;
                // `&&`, `==` and `<=` are one operator; `!!` is two.
                at += usize::from(
                    c != '!' && chars.get(at) == Some(&c)
                        || c != '&' && c != '|' && chars.get(at) == Some(&'='),
                );
            }
            '+' | '-' | '*' | '/' | '%' | '?' => operators += 1,
            _ if c.is_alphabetic() || c == '_' => {
                while chars
                    .get(at)
                    .is_some_and(|c| c.is_alphanumeric() || *c == '_')
                {
                    at += 1;
                }
                operators += usize::from(chars[start..at] == ['i', 'n']);
                continue;
            }
            _ => {}
        }
        if nesting > MOST_NESTING {
            return Err(fault(
                start,
                format!("brackets are nested deeper than {MOST_NESTING}"),
            ));
        }
        if operators > MOST_OPERATORS || dots > MOST_DOTS {
            return Err(fault(
                start,
                format!(
                    "more than {MOST_OPERATORS} operators or fields; use `in [...]`, or split it up"
                ),
            ));
        }
    }
    Ok(())
}

/// True for `r"…"` and `b"…"`, in either order and case: in a raw string a backslash is literal.
fn is_raw(chars: &[char], quote: usize) -> bool {
    let is_prefix = |c: &&char| matches!(c, 'r' | 'R' | 'b' | 'B');
    let prefix = chars[..quote].iter().rev().take_while(is_prefix).count();
    let is_word = chars[..quote - prefix]
        .last()
        .is_some_and(|c| c.is_alphanumeric() || *c == '_');
    !is_word
        && chars[quote - prefix..quote]
            .iter()
            .any(|c| matches!(c, 'r' | 'R'))
}

fn end_of_string(chars: &[char], start: usize, raw: bool) -> Result<usize, ExprFault> {
    let quote = chars[start];
    let triple = chars[start..].starts_with(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    while let Some(&c) = chars.get(at) {
        if c == '\\' && !raw {
            at += 2;
        } else if triple && chars[at..].starts_with(&[quote; 3]) {
            return Ok(at + 3);
        } else if !triple && c == quote {
            return Ok(at + 1);
        } else if !triple && c == '\n' {
            break;
        } else {
            at += 1;
        }
    }
    Err(fault(start, "this string is not closed"))
}

/// The parser's first error with its position, shortened.
pub(crate) fn not_cel(source: &str, errors: &ParseErrors) -> ExprFault {
    let Some(error) = errors.errors.first() else {
        return fault(0, "this is not CEL");
    };
    // Both count from 1.
    let (line, column) = error.pos;
    let before: usize = source
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).unwrap_or(0))
        .map(|line| line.chars().count())
        .sum();
    let offset = (before + usize::try_from(column - 1).unwrap_or(0)).min(source.chars().count());
    // The parser goes on to list all forty tokens it would accept.
    let message = error.msg.lines().next().unwrap_or_default();
    let message = message
        .split(" expecting {")
        .next()
        .unwrap_or_default()
        .replace("'<EOF>'", "the end")
        .replace("<EOF>", "the end");
    let message = message.strip_prefix("Syntax error: ").unwrap_or(&message);
    let message = plain_words(message, source.chars().nth(offset.wrapping_sub(1)));
    fault(offset, format!("not CEL: {message}"))
}

/// The parser's message for people who do not know parsers. `before`: the character before its
/// place.
fn plain_words(message: &str, before: Option<char>) -> String {
    // The message names what it found in quotes.
    let found = message.split('\'').nth(1).unwrap_or_default();
    if message.starts_with("token recognition error") && found.trim() == "=" {
        return "`=` does not compare; write `==`".to_owned();
    }
    if message.starts_with("mismatched input the end") || message.ends_with("at input the end") {
        return "the expression ends too early".to_owned();
    }
    if message.starts_with("extraneous input")
        && before.is_some_and(|before| before.is_ascii_digit())
        && matches!(found, "s" | "m" | "h" | "d" | "w")
    {
        return format!("unexpected `{found}`; durations are seconds here, as in 600");
    }
    let begins = [
        "extraneous input",
        "mismatched input",
        "no viable alternative",
        "token recognition error",
    ];
    if !found.is_empty() && begins.iter().any(|begin| message.starts_with(begin)) {
        return format!("unexpected `{found}`");
    }
    message.to_owned()
}

/// Checks depth and number of nodes.
pub(crate) fn after_parsing(expression: &Expression) -> Result<(), ExprFault> {
    let mut nodes = 0;
    walk(expression, 1, &mut nodes)
}

fn walk(node: &Expression, depth: usize, nodes: &mut usize) -> Result<(), ExprFault> {
    *nodes += 1;
    if depth > MOST_DEPTH || *nodes > MOST_NODES {
        return Err(fault(0, "the expression is too large; split it up"));
    }
    let mut inner = |node: &Expression| walk(node, depth + 1, nodes);
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Ok(()),
        Expr::Call(call) => call
            .target
            .iter()
            .map(AsRef::as_ref)
            .chain(&call.args)
            .try_for_each(inner),
        Expr::Comprehension(macro_call) => {
            inner(&macro_call.iter_range)?;
            inner(&macro_call.accu_init)?;
            inner(&macro_call.loop_cond)?;
            inner(&macro_call.loop_step)?;
            inner(&macro_call.result)
        }
        Expr::List(list) => list.elements.iter().try_for_each(inner),
        Expr::Select(select) => inner(&select.operand),
        Expr::Map(map) => map
            .entries
            .iter()
            .try_for_each(|entry| walk_entry(entry, &mut inner)),
        Expr::Struct(literal) => literal
            .entries
            .iter()
            .try_for_each(|entry| walk_entry(entry, &mut inner)),
    }
}

fn walk_entry(
    entry: &IdedEntryExpr,
    inner: &mut impl FnMut(&Expression) -> Result<(), ExprFault>,
) -> Result<(), ExprFault> {
    match &entry.expr {
        EntryExpr::StructField(field) => inner(&field.value),
        EntryExpr::MapEntry(entry) => {
            inner(&entry.key)?;
            inner(&entry.value)
        }
    }
}
