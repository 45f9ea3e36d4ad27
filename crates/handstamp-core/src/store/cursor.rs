//! Positions in the change log, as text.

/// A position in the change log.
///
/// Its text is `log-number`: which log, a number in hexadecimal, and how many commits of it have been
/// read, in decimal. A store with several logs writes one for each, joined by `.`. Whoever holds two
/// can tell by it which has come further; what a log's number is, only the store knows. A store may add
/// to each, after another `-`, what tells the last of those commits from another of its number. The
/// default, without text, is before the first commit of all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor(pub String);

impl Cursor {
    /// After the first `number` commits of `log`.
    pub fn of(log: u64, number: u64) -> Self {
        Self(format!("{log:x}-{number}"))
    }

    /// Which log, and how many of its commits have been read; `None` for the default, for one of
    /// several logs, and for what is no cursor.
    pub fn position(&self) -> Option<(u64, u64)> {
        let (log, number) = self.0.split_once('-')?;
        let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit());
        let is_hexadecimal = log.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.parse().ok().filter(|_| is_decimal && is_hexadecimal)?;
        Some((u64::from_str_radix(log, 16).ok()?, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_other_text_is_none() {
        assert_eq!(Cursor::of(u64::MAX, 7).position(), Some((u64::MAX, 7)));
        assert_eq!(Cursor::of(0, u64::MAX).position(), Some((0, u64::MAX)));
        for bad in ["", "-", "1", "1-", "-1", "x-1", "1-x", "+1-1", "1-+1", "1-1.2-2", "1-1-1"] {
            assert_eq!(Cursor(bad.into()).position(), None, "{bad:?}");
        }
    }
}
