//! Numbers as Prometheus reads them: Go's `strconv.ParseFloat` without what it learnt in Go 1.13, underscores and binary exponents
//! (`model/textparse/promparse.go`, `parseFloat`).

/// What Prometheus stores for every not-a-number of a page (`model/value/value.go`, `NormalNaN`): a value, and not its mark of staleness.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// A value. `None` for what is no number or beyond the largest: Go calls `1e400` out of range, where Rust would make it infinite.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let bare = text
        .strip_prefix(b"+")
        .or_else(|| text.strip_prefix(b"-"))
        .unwrap_or(text);
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    match bare.first()? {
        b'i' | b'I' => Some(value),
        // With a sign it is no number to Go.
        b'n' | b'N' => (bare.len() == text.len()).then(|| f64::from_bits(NAN)),
        _ => Some(value).filter(|value| value.is_finite()),
    }
}

/// An instant as a line states it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SampleTime {
    /// Milliseconds since 1970.
    pub(crate) millis: i64,
    /// The same in seconds, as exact as it is written.
    pub(crate) seconds: f64,
}

/// Milliseconds, an integer with or without a sign: text format 0.0.4.
pub(crate) fn millis(text: &[u8]) -> Option<SampleTime> {
    let millis: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(SampleTime {
        millis,
        seconds: millis as f64 / 1000.0,
    })
}

/// Seconds, a number: OpenMetrics. Parts of a millisecond are cut off, as Prometheus cuts them.
pub(crate) fn seconds(text: &[u8]) -> Option<SampleTime> {
    let seconds = float(text).filter(|seconds| seconds.is_finite())?;
    Some(SampleTime {
        millis: (seconds * 1000.0) as i64,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::{float, millis, seconds};
    use crate::model::sample::is_stale;

    #[test]
    fn as_go_reads_them() {
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
    fn stamps() {
        let millis = |text: &str| millis(text.as_bytes()).map(|stamp| stamp.millis);
        assert_eq!(millis("1395066363000"), Some(1_395_066_363_000));
        assert_eq!(millis("-3982045"), Some(-3_982_045));
        for text in ["1.5", "1e3", "", "9223372036854775808", "NaN", "1\r"] {
            assert_eq!(millis(text), None, "{text}");
        }
        let seconds = |text: &str| seconds(text.as_bytes()).map(|stamp| stamp.millis);
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
