//! Numbers in words.

/// Formats a value with four significant digits; whole numbers are written out.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if (1_000.0..1e15).contains(&size) {
        return format!("{value:.0}");
    }
    let short = format!("{value:.3e}");
    let Ok(rounded) = short.parse::<f64>() else {
        return short;
    };
    if (1e-4..1_000.5).contains(&size) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        let written: Vec<String> = [
            0.1 + 0.2,
            0.021_345_6,
            1.0,
            12_345.678,
            -4.5e-9,
            1e300,
            999.96,
            100.0,
        ]
        .into_iter()
        .map(short)
        .collect();
        assert_eq!(
            written,
            [
                "0.3", "0.02135", "1", "12346", "-4.5e-9", "1e300", "1000", "100"
            ]
        );
    }
}
