//! Settings of sources of kind `sns`: topics and signed messages.

use super::scalars::Text;
use super::source_auth::{PROOFS, SourceAuth};
use crate::yaml::node::Node;
use crate::yaml::reader::Reader;
use crate::yaml::scalar::Spanned;

/// `auth: signature`
pub(crate) fn signature(reader: &mut Reader<'_>, node: &Node, is_sns: bool) -> Option<SourceAuth> {
    if !is_sns {
        reader.fault(node.position(), format!("`auth: signature` is only for sources of kind `sns`; write {PROOFS} there, or `auth: none`"));
    }
    is_sns.then_some(SourceAuth::Certificate)
}

/// `topics:`. Without it any AWS account could send messages of its own topic, validly signed by
/// Amazon.
pub(crate) fn topics(
    reader: &mut Reader<'_>,
    node: &Node,
    given: Option<Vec<Spanned<Text>>>,
    is_sns: bool,
) -> Option<Vec<String>> {
    let at = node.key_position("topics");
    match (given, is_sns) {
        (None, false) => Some(Vec::new()),
        (Some(_), false) => {
            reader.fault(at, "`topics` is only for sources of kind `sns`; remove it");
            None
        }
        (Some(topics), true) if !topics.is_empty() => {
            for Spanned {
                position,
                value: Text(topic),
                ..
            } in &topics
            {
                let parts: Vec<&str> = topic.split(':').collect();
                if !matches!(parts[..], ["arn", _, "sns", _, _, name] if !name.is_empty()) {
                    reader.fault(*position, format!("{topic:?} is not a topic; write for example arn:aws:sns:eu-west-1:123456789012:alarms"));
                }
            }
            Some(topics.into_iter().map(|topic| topic.value.0).collect())
        }
        (_, true) => {
            reader.fault(at, "a source of kind `sns` needs `topics`; write them as `topics: [\"arn:aws:sns:…\"]`");
            None
        }
    }
}
