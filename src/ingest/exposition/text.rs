//! What a whole page of the text format must keep beyond its single lines, as `promtool check metrics` demands it
//! (`expfmt/text_parse.go` of prometheus/common). A scrape by Prometheus does not ask for this, nor does a reader of a few names.

use std::collections::HashMap;

use super::comment::{Comment, Type};
use super::cursor::SyntaxFault;
use super::line::SampleLine;
use super::number;

#[derive(Default)]
struct Family {
    /// What it is, once it was said or a sample came without it having been said.
    kind: Option<Type>,
    has_help: bool,
}

/// The metrics met so far.
#[derive(Default)]
pub(crate) struct Families {
    met: HashMap<String, Family>,
}

impl Families {
    pub(crate) fn comment(&mut self, comment: &Comment<'_>) -> Result<(), SyntaxFault> {
        match comment {
            Comment::Help(name) => {
                let family = self.family(name);
                if std::mem::replace(&mut family.has_help, true) {
                    return Err(SyntaxFault::new(
                        0,
                        format!("a second # HELP for {name}. Expected one"),
                    ));
                }
            }
            Comment::Type(name, kind) => {
                let family = self.family(name);
                if family.kind.is_some() {
                    return Err(SyntaxFault::new(
                        0,
                        format!(
                            "a second # TYPE for {name}, or one after its samples. Expected one before them"
                        ),
                    ));
                }
                family.kind = Some(*kind);
            }
            Comment::Unit(..) | Comment::End | Comment::Remark => {}
        }
        Ok(())
    }

    pub(crate) fn sample(&mut self, line: &SampleLine) -> Result<(), SyntaxFault> {
        let kind = *self.family(&line.name).kind.get_or_insert(Type::Unknown);
        let bound = match kind {
            Type::Histogram => "le",
            Type::Summary => "quantile",
            _ => return Ok(()),
        };
        match line.labels.get(bound) {
            Some(value) if number::float(value.as_bytes()).is_none() => Err(SyntaxFault::new(
                0,
                format!(
                    "the label {bound} is {value:?}. Expected a number, since {} is of a {kind:?}",
                    line.name
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The family that a name belongs to: its own, or the summary's or histogram's that has such parts.
    fn family(&mut self, name: &str) -> &mut Family {
        let whole = ["_count", "_sum", "_bucket"].iter().find_map(|part| {
            let whole = name.strip_suffix(part)?;
            let kind = self.met.get(whole)?.kind?;
            (kind == Type::Histogram || kind == Type::Summary && *part != "_bucket")
                .then_some(whole)
        });
        let key = whole
            .filter(|_| !self.met.contains_key(name))
            .unwrap_or(name);
        if !self.met.contains_key(key) {
            self.met.insert(key.to_owned(), Family::default());
        }
        self.met.entry(key.to_owned()).or_default()
    }
}
