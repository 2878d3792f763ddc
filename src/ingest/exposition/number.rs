//! Numbers as Prometheus parses them: Go's `strconv.ParseFloat` without the underscores and binary
//! exponents of Go 1.13 (`model/textparse/promparse.go`, `parseFloat`).

/// The bits Prometheus stores for every NaN of a page (`model/value/value.go`, `NormalNaN`), distinct
/// from its staleness marker.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// A sample value; `None` if the text is not a number or is out of range: Go refuses `1e400`, which
/// Rust would make infinite.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let bare = text
        .strip_prefix(b"+")
        .or_else(|| text.strip_prefix(b"-"))
        .unwrap_or(text);
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    match bare.first()? {
        b'i' | b'I' => Some(value),
        // Go refuses a signed NaN.
        b'n' | b'N' => (bare.len() == text.len()).then(|| f64::from_bits(NAN)),
        _ => Some(value).filter(|value| value.is_finite()),
    }
}

/// Milliseconds since 1970 from an integer with or without a sign: the text format.
pub(crate) fn millis(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Milliseconds since 1970 from a number of seconds: OpenMetrics. Parts of a millisecond are cut
/// off, as in Prometheus.
pub(crate) fn millis_of_seconds(text: &[u8]) -> Option<i64> {
    let seconds = float(text).filter(|seconds| seconds.is_finite())?;
    Some((seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::{float, millis, millis_of_seconds};
    use crate::model::sample::is_stale;

    #[test]
    fn numbers_are_those_of_go_parse_float() {
        for (text, value) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("-1.5e-3", -0.0015),
            ("1.", 1.0),
            (".5", 0.5),
            ("1E3", 1000.0),
            ("000000000000000000000000012e-1", 1.2),
            ("1e-400", 0.0),
            ("0e99999", 0.0),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            ("Inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("-infinitY", f64::NEG_INFINITY),
        ] {
            assert_eq!(float(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(float(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        for text in ["nan", "NaN", "NAN"] {
            let value = float(text.as_bytes());
            assert_eq!(
                value.map(f64::to_bits),
                Some(0x7ff8_0000_0000_0001),
                "{text}"
            );
            assert!(!value.is_some_and(is_stale));
        }
        let refused = [
            "", "+", ".", "e5", "1e", "1e+", "+nan", "-NaN", "infi", "nano", "1e400", "-1e400",
            "0x1", "0x1p-3", "0X1P3", "0b1", "0o1", "1_000", "1,5", " 1", "1 ", "1f", "--1", "é",
            "1\r", "1\0", "٣",
        ];
        for text in refused {
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
        assert_eq!(float(b"\xff"), None);
    }

    #[test]
    fn times_in_milliseconds_and_seconds() {
        let millis = |text: &str| millis(text.as_bytes());
        assert_eq!(millis("1395066363000"), Some(1_395_066_363_000));
        assert_eq!(millis("-3982045"), Some(-3_982_045));
        for text in ["1.5", "1e3", "", "9223372036854775808", "NaN", "1\r"] {
            assert_eq!(millis(text), None, "{text}");
        }
        let seconds = |text: &str| millis_of_seconds(text.as_bytes());
        assert_eq!(
            seconds("1520879607.789"),
            Some((1_520_879_607.789_f64 * 1000.0) as i64)
        );
        assert_eq!(seconds("1.9999"), Some(1999));
        assert_eq!(seconds("-1.5"), Some(-1500));
        assert_eq!(seconds("1e3"), Some(1_000_000));
        assert_eq!(seconds("12345678901234567890.1234567890"), Some(i64::MAX));
        for text in ["NaN", "Inf", "-Inf", "", "0x1p-3", "1_2"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
