//! Bodies without the secrets that some senders put there. `{"meta": {"unsubscribe": "https://…SECRET"}, "incident": …}` is kept as
//! `{"meta": {}, "incident": …}`, and where it is cut off, as `{"meta": {"unsubscribe": ""}, "inci`: what cannot be read is what people want
//! to look at.

use serde_json::Value;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Whether a body means to be JSON: it begins an object or a list, perhaps with a mark of its encoding before it.
pub(crate) fn is_json(body: &[u8]) -> bool {
    body.starts_with(BOM) || matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// JSON without what is called so, at any depth; it as it came where nothing is. What is no JSON is taken as text.
pub(crate) fn json(body: &[u8], names: &[&str]) -> Vec<u8> {
    let (mark, rest) = body.split_at(if body.starts_with(BOM) { BOM.len() } else { 0 });
    let Ok(mut value) = serde_json::from_slice::<Value>(rest) else {
        return text(body, names);
    };
    // Of what is given twice, only the last was seen.
    if !remove(&mut value, names) && text(rest, names) == rest {
        return body.to_vec();
    }
    [mark, value.to_string().as_bytes()].concat()
}

/// Takes out what is called so; whether there was any. No deeper than JSON is read.
fn remove(value: &mut Value, names: &[&str]) -> bool {
    match value {
        Value::Object(map) => {
            let before = map.len();
            map.retain(|name, _| !names.contains(&name.as_str()));
            let any = map.len() < before;
            map.values_mut()
                .fold(any, |any, inner| remove(inner, names) || any)
        }
        // All of them, whichever had any.
        Value::Array(list) => {
            list.iter_mut()
                .filter_map(|inner| remove(inner, names).then_some(()))
                .count()
                > 0
        }
        _ => false,
    }
}

/// What may be a piece of JSON, with `""` for each value that stands after one of these names; the rest stays byte by byte.
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

/// How many bytes it is to the value, where this begins with `"name":`.
fn ahead(text: &[u8], name: &str) -> Option<usize> {
    let after = text
        .strip_prefix(b"\"")?
        .strip_prefix(name.as_bytes())?
        .strip_prefix(b"\"")?
        .trim_ascii_start()
        .strip_prefix(b":")?;
    Some(text.len() - after.trim_ascii_start().len())
}

/// How long the value is with which this begins: as far as its text, list or map is closed, else to the end.
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
    fn what_is_called_so_goes_at_any_depth() {
        check(
            r#"{"token":"S","a":[{"token":1,"b":2}],"c":{"urls":[{"d":"S"}]}}"#,
            r#"{"a":[{"b":2}],"c":{}}"#,
        );
        check(r#"[{"token":"S"}]"#, "[{}]");
        check("\u{feff}{\"token\":\"S\"}", "\u{feff}{}");
        check(r#"{"tok\u0065n":"S"}"#, "{}");
    }

    #[test]
    fn what_has_no_secret_stays_as_it_came() {
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
    fn of_what_is_no_json_only_the_value_goes() {
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
