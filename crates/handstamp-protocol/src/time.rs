//! Points in time as the wire tells them: RFC 3339, in UTC, with milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MILLIS_PER_DAY: i64 = 86_400_000;
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

/// A point in time: milliseconds since 1970-01-01T00:00:00 UTC, from year 0 to 9999.
///
/// Written in one way only, `2026-01-31T12:00:00.123Z`. Read in any form of RFC 3339 that says
/// UTC (`Z` or `+00:00`), with up to nine digits of a second, of which three count. Leap seconds
/// (`:60`) are refused: the clocks that this is compared with do not have them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// `0000-01-01T00:00:00.000Z`.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// `9999-12-31T23:59:59.999Z`, which also stands for "never".
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The point `millis` milliseconds after the epoch, moved into the years that can be told.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(match time.duration_since(UNIX_EPOCH) {
            Ok(span) => millis(span),
            Err(before) => -millis(before.duration()),
        })
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        let span = Duration::from_millis(time.0.unsigned_abs());
        if time.0 >= 0 { UNIX_EPOCH + span } else { UNIX_EPOCH - span }
    }
}

/// A time on the wire: `2026-01-31T12:00:00.123Z`.
struct Text([u8; 24]);

impl Text {
    fn as_str(&self) -> &str {
        // It is ASCII all over.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Time {
    /// Its text. An answer tells several times, so this does without `format!`, and divides in 32
    /// bits.
    fn text(self) -> Text {
        let (year, month, day) = date(self.0.div_euclid(MILLIS_PER_DAY));
        let millis = self.0.rem_euclid(MILLIS_PER_DAY) as u32;
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let two = |number: u32| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
        let ([a, b], [c, d], [e, f], [g, h]) = (two(year / 100), two(year), two(month), two(day));
        let ([i, j], [k, l]) = (two(seconds / 3600), two(seconds / 60 % 60));
        let ([m, n], [o, p], [_, q]) = (two(seconds % 60), two(millis / 10), two(millis));
        Text([
            a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n, b'.', o, p, q,
            b'Z',
        ])
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no point in time in UTC as RFC 3339 writes it. Retrying never helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseTimeError;

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time in UTC like 2026-01-31T12:00:00.000Z")
    }
}

impl std::error::Error for ParseTimeError {}

impl FromStr for Time {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.as_bytes()).ok_or(ParseTimeError)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text().as_str())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "examples": ["2026-01-31T12:00:00.000Z"],
        })
    }
}

fn parse(text: &[u8]) -> Option<Time> {
    let (head, rest) = text.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| head[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(&head[..4])?, number(&head[5..7])?, number(&head[8..10])?);
    let (hour, minute, second) =
        (number(&head[11..13])?, number(&head[14..16])?, number(&head[17..])?);
    if !(1..=days_in(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(Time(days(year, month, day) * MILLIS_PER_DAY + seconds * 1000 + fraction(rest)?))
}

/// The milliseconds of what follows the seconds: perhaps a fraction, then the mark of UTC.
fn fraction(rest: &[u8]) -> Option<i64> {
    let rest = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00"))?;
    let Some(digits) = rest.strip_prefix(b".") else {
        return rest.is_empty().then_some(0);
    };
    if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at| digits.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How long a month is; none for what is no month.
const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    }
}

/// Days from the epoch to a date of the proleptic Gregorian calendar. Years begin in March here,
/// so that the leap day is the last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    year.div_euclid(400) * DAYS_PER_ERA + in_era - DAYS_TO_EPOCH
}

/// The date that many days from the epoch: year, month, day. Told from an era earlier, where all
/// days that can be told are positive.
const fn date(days: i64) -> (u32, u32, u32) {
    let days = (days + DAYS_TO_EPOCH + DAYS_PER_ERA) as u32;
    let (era, in_era) = (days / DAYS_PER_ERA as u32, days % DAYS_PER_ERA as u32);
    let of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + of_era + (month <= 2) as u32 - 400, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn known_points_are_told_as_they_are() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (Time::MIN.as_millis(), "0000-01-01T00:00:00.000Z"),
            (Time::MAX.as_millis(), "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), text);
            assert_eq!(time(text).as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn every_day_of_ten_thousand_years_reads_back_and_follows_the_one_before() {
        let first = Time::MIN.as_millis() / MILLIS_PER_DAY;
        let last = Time::MAX.as_millis() / MILLIS_PER_DAY;
        let mut expected = (0, 1, 1);
        for day in first..=last {
            assert_eq!(date(day), expected);
            let (year, month, of_month) = expected;
            let (y, m, d) = (i64::from(year), i64::from(month), i64::from(of_month));
            assert_eq!(days(y, m, d), day);
            expected = match (month, d == days_in(y, m)) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, of_month + 1),
            };
        }
        assert_eq!(expected, (10_000, 1, 1));
    }

    #[test]
    fn a_fraction_may_be_missing_or_finer_and_utc_may_be_written_as_an_offset() {
        let expected = time("2026-01-31T12:00:00.120Z");
        for same in ["12:00:00.12Z", "12:00:00.120999999Z", "12:00:00.120456+00:00"] {
            assert_eq!(time(&format!("2026-01-31T{same}")), expected);
        }
        assert_eq!(time("2026-01-31T12:00:00Z"), time("2026-01-31T12:00:00.000Z"));
    }

    #[test]
    fn what_is_not_rfc_3339_in_utc_is_refused() {
        for bad in [
            "",
            "2026-01-31",
            "2026-01-31 12:00:00.000Z",
            "2026-01-31T12:00:00.000",
            "2026-01-31T12:00:00.000z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00.0000000001Z",
            "2026-01-31T12:00:00.000+01:00",
            "2026-01-31T12:00:00.000-00:00",
            "2026-02-29T12:00:00.000Z",
            "2100-02-29T12:00:00.000Z",
            "2026-00-01T12:00:00.000Z",
            "2026-13-01T12:00:00.000Z",
            "2026-01-00T12:00:00.000Z",
            "2026-01-31T24:00:00.000Z",
            "2026-01-31T23:59:60.000Z",
            "2026-01-31T1२:00:00.000Z",
            "+026-01-31T12:00:00.000Z",
            " 2026-01-31T12:00:00.000Z",
            "2026-01-31T12:00:00.000Z ",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(ParseTimeError), "{bad:?}");
        }
    }

    #[test]
    fn times_out_of_range_are_moved_into_it() {
        assert_eq!(Time::from_millis(i64::MAX), Time::MAX);
        assert_eq!(Time::from_millis(i64::MIN), Time::MIN);
    }

    #[test]
    fn system_times_come_and_go() {
        for millis in [-1500, 0, 1_769_860_800_123] {
            let time = Time::from_millis(millis);
            assert_eq!(Time::from(SystemTime::from(time)), time);
        }
        assert_eq!(Time::from_millis(-1).as_seconds(), -1);
    }
}
