//! Removal of secrets from bodies before they are stored. `{"meta": {"unsubscribe":
//! "https://…SECRET"}, "incident": …}` becomes `{"meta": {}, "incident": …}`, and a truncated body
//! `{"meta": {"unsubscribe": ""}, "inci`: people need to see what failed to parse.

use serde_json::Value;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Tests whether a body is meant as JSON: it begins an object or a list, perhaps after a byte order
/// mark.
pub(crate) fn is_json(body: &[u8]) -> bool {
    body.starts_with(BOM) || matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Removes the named keys at any depth. A body without them is returned unchanged; one that is not
/// valid JSON is treated as text.
pub(crate) fn json(body: &[u8], names: &[&str]) -> Vec<u8> {
    let (mark, rest) = body.split_at(if body.starts_with(BOM) { BOM.len() } else { 0 });
    let Ok(mut value) = serde_json::from_slice::<Value>(rest) else {
        return text(body, names);
    };
    // The parser keeps only the last of a repeated key.
    if !remove(&mut value, names) && text(rest, names) == rest {
        return body.to_vec();
    }
    [mark, value.to_string().as_bytes()].concat()
}

/// Removes the named keys and returns whether there were any. The depth is bounded by the parser.
fn remove(value: &mut Value, names: &[&str]) -> bool {
    match value {
        Value::Object(map) => {
            let before = map.len();
            map.retain(|name, _| !names.contains(&name.as_str()));
            let any = map.len() < before;
            map.values_mut()
                .fold(any, |any, inner| remove(inner, names) || any)
        }
        // Visit every member, even after a hit.
        Value::Array(list) => {
            list.iter_mut()
                .filter_map(|inner| remove(inner, names).then_some(()))
                .count()
                > 0
        }
        _ => false,
    }
}

/// Replaces the value after each of the named keys by `""` in text that may be a fragment of JSON.
/// All other bytes are kept.
pub(crate) fn text(body: &[u8], names: &[&str]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&first, after)) = rest.split_first() {
        let ahead = if first == b'"' {
            names.iter().find_map(|name| ahead(rest, name))
        } else {
            None
        };
        match ahead {
            Some(ahead) => {
                let (name, value) = rest.split_at(ahead);
                kept.extend_from_slice(name);
                kept.extend_from_slice(b"\"\"");
                rest = &value[length(value)..];
            }
            None => {
                kept.push(first);
                rest = after;
            }
        }
    }
    kept
}

/// Offset of the value if the text begins with `"name":`.
fn ahead(text: &[u8], name: &str) -> Option<usize> {
    let after = text
        .strip_prefix(b"\"")?
        .strip_prefix(name.as_bytes())?
        .strip_prefix(b"\"")?
        .trim_ascii_start()
        .strip_prefix(b":")?;
    Some(text.len() - after.trim_ascii_start().len())
}

/// Length of the value the text begins with: up to its closing quote or bracket, else all of it.
fn length(text: &[u8]) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                if !quoted && depth == 0 {
                    return index + 1;
                }
            }
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 1 => depth -= 1,
            b']' | b'}' if depth == 1 => return index + 1,
            b']' | b'}' | b',' if depth == 0 => return index,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::json;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(
            String::from_utf8_lossy(&json(body.as_bytes(), &["token", "urls"])),
            expected,
            "{body}"
        );
    }

    #[test]
    fn named_keys_are_removed_at_any_depth() {
        check(
            r#"{"token":"S","a":[{"token":1,"b":2}],"c":{"urls":[{"d":"S"}]}}"#,
            r#"{"a":[{"b":2}],"c":{}}"#,
        );
        check(r#"[{"token":"S"}]"#, "[{}]");
        check("\u{feff}{\"token\":\"S\"}", "\u{feff}{}");
        check(r#"{"tok\u0065n":"S"}"#, "{}");
    }

    #[test]
    fn bodies_without_secrets_are_unchanged() {
        for body in [
            r#"{ "a": 1.10, "b": "token" }"#,
            "",
            "token",
            "\u{feff}[1 ]",
            "{\"a\": ",
        ] {
            check(body, body);
        }
    }

    #[test]
    fn values_are_blanked_in_malformed_json() {
        check(
            r#"{"a": 1, "token" : "S\"S, S}", "b": ]"#,
            r#"{"a": 1, "token" : "", "b": ]"#,
        );
        check(r#"{"token": "SSS"#, r#"{"token": """#);
        check(r#"{"token": 12, "b": }"#, r#"{"token": "", "b": }"#);
        check(
            r#"{"urls": [{"u": "S]"}, ["S"]], "b": }"#,
            r#"{"urls": "", "b": }"#,
        );
        check(r#"{"token":"#, r#"{"token":"""#);
        check(
            r#"x{"token":"S"}{"token":"S"}"#,
            r#"x{"token":""}{"token":""}"#,
        );
    }
}
