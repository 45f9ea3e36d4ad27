//! Ids of requests, which stand in the answer, in its problem and in the log.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderValue};

use super::REQUEST_ID;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Makes them: the hashes of a count, under a random key of each start of the service. They look
/// like random numbers and cost no call to the system.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    key: RandomState,
    count: AtomicU64,
}

impl Ids {
    /// The id that a proxy gave the request, if it is harmless, else a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(REQUEST_ID).filter(|id| is_harmless(id.as_bytes()));
        given.cloned().unwrap_or_else(|| self.new_one())
    }

    fn new_one(&self) -> HeaderValue {
        let number = self.key.hash_one(self.count.fetch_add(1, Ordering::Relaxed));
        let digit = |at| DIGITS[((number >> (60 - 4 * at)) & 15) as usize];
        let text: [u8; 16] = std::array::from_fn(digit);
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("-"))
    }
}

fn is_harmless(id: &[u8]) -> bool {
    (8..=64).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn given(id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, id.try_into().unwrap());
        headers
    }

    #[test]
    fn an_id_that_a_proxy_gave_is_kept_if_it_is_harmless() {
        let ids = Ids::default();
        assert_eq!(ids.of(&given("4bf92f3577b34da6")), "4bf92f3577b34da6");
        for id in ["short", "with space in it", "a=b;c=d;e=f", &"x".repeat(65)] {
            assert_ne!(ids.of(&given(id)), id);
        }
    }

    #[test]
    fn no_two_new_ones_are_the_same_even_after_a_restart() {
        let (one, other) = (Ids::default(), Ids::default());
        let none = HeaderMap::new();
        let text = |ids: &Ids| ids.of(&none).to_str().unwrap().to_owned();
        let made: HashSet<_> = (0..100).flat_map(|_| [text(&one), text(&other)]).collect();
        assert_eq!(made.len(), 200);
        assert!(made.iter().all(|id| id.len() == 16 && is_harmless(id.as_bytes())));
    }
}
