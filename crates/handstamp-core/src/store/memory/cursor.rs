//! Places in lists, as text.

use crate::id::SessionId;
use crate::store::StoreError;
use crate::time::Timestamp;

/// A place in a list, by what the list is sorted by.
pub(super) trait Place: Copy {
    fn print(self) -> String;
    fn parse(text: &str) -> Option<Self>;

    /// The place that a page follows.
    fn read(text: Option<&str>) -> Result<Option<Self>, StoreError> {
        text.map(|text| Self::parse(text).ok_or(StoreError::BadCursor)).transpose()
    }
}

/// Where a record stands in lists: by a time, and by id where times are the same.
pub(super) type At = (Timestamp, SessionId);

/// After every record of `time`.
pub(super) const fn end_of(time: Timestamp) -> At {
    (time, SessionId::from_bytes([u8::MAX; SessionId::LEN]))
}

impl Place for At {
    fn print(self) -> String {
        format!("{}.{}", self.0.as_millis(), self.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (millis, id) = text.split_once('.')?;
        Some((Timestamp::from_millis(millis.parse().ok()?), id.parse().ok()?))
    }
}

/// Where an event stands: by its number.
impl Place for u64 {
    fn print(self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_other_text_is_no_place() {
        let at: At = (Timestamp::from_millis(-5), SessionId::from_bytes([7; 18]));
        assert_eq!(At::parse(&at.print()), Some(at));
        assert_eq!(u64::parse(&9_u64.print()), Some(9));
        for bad in ["", ".", "5", "5.x", "x.AAAA"] {
            assert!(matches!(At::read(Some(bad)), Err(StoreError::BadCursor)), "{bad:?}");
        }
    }
}
