//! Numbers as people read them, for the reasons of a finding.

use std::time::Duration;

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 account`, `12 accounts`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A span in the largest unit that tells it well: `25 minutes`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (size, unit) = match seconds {
        0..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_800 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    counted(seconds / size, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_900, "1,900"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            (counted(1, "account"), counted(12, "account")),
            ("1 account".into(), "12 accounts".into())
        );
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (1_500, "25 minutes"),
            (10_800, "3 hours"),
            (864_000, "10 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
