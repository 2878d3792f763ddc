//! Evaluates an expression tree against a scope. It allocates only for the reason of an unknown and
//! for lists that are not literals.
//!
//! Three-valued logic: whatever depends on an unknown field or label is unknown, whichever operand
//! it is in. Result and reason equal those of the `cel` crate's interpreter, which `against_cel`
//! checks with random expressions. One difference is intended: numbers that cannot be ordered (the
//! result of `0.0 / 0.0`) give a plain message.

use std::borrow::Cow;

use super::facts::{FieldValue, Scope};
use super::tree;
use super::tree::{
    Arithmetic, Choice, Each, LabelsExpr, LogicExpr, NumberExpr, NumbersExpr, OrderTest, Over,
    Part, Read, TextExpr, TextsExpr,
};
use crate::expr::truth::Truth;
use crate::model::labels::LabelsRef;

/// Evaluates `logic` against `scope`.
pub(crate) fn evaluate(logic: &tree::LogicExpr, scope: &Scope<'_>) -> Truth {
    match logic.of(&EvaluationScope {
        scope,
        item: Item::None,
    }) {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(Why::Missing(name)) => Truth::Unknown(format!("`{name}` is not known")),
        Err(Why::Unordered) => {
            Truth::Unknown("a division by zero gave NaN, which cannot be compared".to_owned())
        }
    }
}

/// Reasons a result is unknown.
#[derive(Clone, Copy)]
enum Why<'a> {
    /// A field or label without a value.
    Missing(&'a str),
    /// A comparison with NaN.
    Unordered,
}

type Found<'a, T> = Result<T, Why<'a>>;

/// The scope, and the current element of a macro.
struct EvaluationScope<'a> {
    scope: &'a Scope<'a>,
    item: Item<'a>,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    None,
    Text(&'a str),
    Number(f64),
}

impl<'a> EvaluationScope<'a> {
    fn value(&self, read: Read) -> FieldValue<'a> {
        self.scope
            .get(read.root)
            .map_or(FieldValue::Unknown, |facts| facts.value(read.index))
    }

    fn at(&self, item: Item<'a>) -> Self {
        Self {
            scope: self.scope,
            item,
        }
    }
}

/// A list of strings, borrowed or computed.
enum Many<'a> {
    Kept(&'a [String]),
    Made(Vec<&'a str>),
}

impl<'a> Many<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Kept(texts) => texts.len(),
            Self::Made(texts) => texts.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'a str> {
        let (kept, made): (&'a [String], &[&'a str]) = match self {
            Self::Kept(texts) => (texts, &[]),
            Self::Made(texts) => (&[], texts),
        };
        kept.iter().map(String::as_str).chain(made.iter().copied())
    }

    fn contains(&self, text: &str) -> bool {
        match self {
            Self::Kept(texts) => texts.iter().any(|entry| entry == text),
            Self::Made(texts) => texts.contains(&text),
        }
    }
}

fn chosen<'a, 'b, T>(choice: &'b Choice<T>, sight: &EvaluationScope<'a>) -> Found<'a, &'b T>
where
    'b: 'a,
{
    let (condition, yes, no) = choice.as_ref();
    Ok(if condition.of(sight)? { yes } else { no })
}

impl LogicExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, bool> {
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Field(read) => match sight.value(*read) {
                FieldValue::Bool(value) => Ok(value),
                _ => Err(Why::Missing(read.name)),
            },
            Self::Not(inner) => inner.of(sight).map(|value| !value),
            Self::And(terms) => settled(false, terms.iter().map(|term| term.of(sight))),
            Self::Or(terms) => settled(true, terms.iter().map(|term| term.of(sight))),
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
            Self::TruthIs(both) => Ok(both.0.of(sight)? == both.1.of(sight)?),
            Self::TextIs(both) => Ok(both.0.of(sight)? == both.1.of(sight)?),
            #[expect(clippy::float_cmp, reason = "`==` as CEL has it")]
            Self::NumberIs(both) => Ok(both.0.of(sight)? == both.1.of(sight)?),
            Self::TextsAre(both) => Ok(both.0.of(sight)?.iter().eq(both.1.of(sight)?.iter())),
            Self::NumbersAre(both) => Ok(both.0.of(sight)? == both.1.of(sight)?),
            Self::LabelsAre(both) => Ok(both.0.of(sight)? == both.1.of(sight)?),
            Self::Order(order, both) => order.of(both.0.of(sight)?, both.1.of(sight)?),
            Self::TextIn(both) => {
                let text = both.0.of(sight)?;
                Ok(both.1.of(sight)?.contains(text))
            }
            Self::NumberIn(both) => {
                let number = both.0.of(sight)?;
                Ok(both.1.of(sight)?.contains(&number))
            }
            Self::LabelIn(both) => {
                let name = both.0.of(sight)?;
                Ok(both.1.of(sight)?.get(name).is_some())
            }
            Self::Part(part, both) => {
                // CEL evaluates the argument first and reports the first of two unknowns.
                let part_of_it = both.1.of(sight)?;
                let text = both.0.of(sight)?;
                Ok(match part {
                    Part::Anywhere => text.contains(part_of_it),
                    Part::Start => text.starts_with(part_of_it),
                    Part::End => text.ends_with(part_of_it),
                })
            }
            Self::Known(read) => Ok(sight.value(*read) != FieldValue::Unknown),
            Self::Each(each) => each.of(sight),
        }
    }
}

/// `settles` if any term equals it; otherwise unknown with the reason of the last unknown term;
/// otherwise the opposite.
fn settled<'a>(settles: bool, terms: impl Iterator<Item = Found<'a, bool>>) -> Found<'a, bool> {
    let mut found = Ok(!settles);
    for term in terms {
        match term {
            Ok(value) if value == settles => return Ok(settles),
            Ok(_) => {}
            unknown @ Err(_) => found = unknown,
        }
    }
    found
}

impl Each {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, bool> {
        let says = |item: Item<'a>| self.body.of(&sight.at(item));
        match &self.over {
            Over::Texts(texts) => settled(
                self.settles,
                texts.of(sight)?.iter().map(|text| says(Item::Text(text))),
            ),
            Over::Numbers(numbers) => settled(
                self.settles,
                numbers
                    .of(sight)?
                    .iter()
                    .map(|number| says(Item::Number(*number))),
            ),
            Over::Labels(labels) => settled(
                self.settles,
                labels.of(sight)?.map(|(name, _)| says(Item::Text(name))),
            ),
        }
    }
}

impl OrderTest {
    fn of<'a>(self, one: f64, two: f64) -> Found<'a, bool> {
        let order = one.partial_cmp(&two).ok_or(Why::Unordered)?;
        Ok(match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        })
    }
}

impl TextExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, &'a str> {
        match self {
            Self::Literal(text) => Ok(text),
            Self::Field(read) => match sight.value(*read) {
                FieldValue::Text(text) => Ok(text),
                _ => Err(Why::Missing(read.name)),
            },
            Self::Variable => match sight.item {
                Item::Text(text) => Ok(text),
                Item::None | Item::Number(_) => Err(Why::Missing("")),
            },
            Self::Label(both) => {
                let labels = both.0.of(sight)?;
                let name = both.1.of(sight)?;
                labels.get(name).ok_or(Why::Missing(name))
            }
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
        }
    }
}

impl NumberExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, f64> {
        match self {
            Self::Literal(number) => Ok(*number),
            Self::Field(read) => match sight.value(*read) {
                FieldValue::Number(number) => Ok(number),
                _ => Err(Why::Missing(read.name)),
            },
            Self::Variable => match sight.item {
                Item::Number(number) => Ok(number),
                Item::None | Item::Text(_) => Err(Why::Missing("")),
            },
            Self::Negative(number) => number.of(sight).map(|number| -number),
            Self::Arithmetic(arithmetic, both) => {
                let (one, two) = (both.0.of(sight)?, both.1.of(sight)?);
                Ok(match arithmetic {
                    Arithmetic::Plus => one + two,
                    Arithmetic::Minus => one - two,
                    Arithmetic::Times => one * two,
                    Arithmetic::By => one / two,
                })
            }
            Self::Length(text) => text.of(sight).map(|text| count(text.chars().count())),
            Self::Count(list) => Ok(count(match list.as_ref() {
                Over::Texts(texts) => texts.of(sight)?.len(),
                Over::Numbers(numbers) => numbers.of(sight)?.len(),
                Over::Labels(labels) => labels.of(sight)?.count(),
            })),
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing in memory has 2^52 entries"
)]
fn count(entries: usize) -> f64 {
    entries as f64
}

impl TextsExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, Many<'a>> {
        match self {
            Self::Literal(texts) => Ok(Many::Kept(texts)),
            Self::Field(read) => match sight.value(*read) {
                FieldValue::Texts(texts) => Ok(Many::Kept(texts)),
                _ => Err(Why::Missing(read.name)),
            },
            Self::Made(texts) => texts
                .iter()
                .map(|text| text.of(sight))
                .collect::<Result<_, _>>()
                .map(Many::Made),
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
        }
    }
}

impl NumbersExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, Cow<'a, [f64]>> {
        match self {
            Self::Literal(numbers) => Ok(Cow::Borrowed(numbers)),
            Self::Made(numbers) => numbers
                .iter()
                .map(|number| number.of(sight))
                .collect::<Result<_, _>>()
                .map(Cow::Owned),
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
        }
    }
}

impl LabelsExpr {
    fn of<'a>(&'a self, sight: &EvaluationScope<'a>) -> Found<'a, LabelsRef<'a>> {
        match self {
            Self::Field(read) => match sight.value(*read) {
                FieldValue::Labels(labels) => Ok(labels),
                _ => Err(Why::Missing(read.name)),
            },
            Self::Choice(choice) => chosen(choice, sight)?.of(sight),
        }
    }
}
