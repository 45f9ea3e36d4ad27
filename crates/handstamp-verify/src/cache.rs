//! Tokens that were checked before: the same text costs a lookup, not a signature.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use handstamp_protocol::tokens::AccessClaims;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Equivalent, Weighter};

/// What an entry costs beside its token, in bytes: claims, links, counters. Roughly.
const OVERHEAD: usize = 768;

/// The claims of tokens whose signature was found right, bounded by weight.
///
/// # Security
/// An entry is found by the whole text of the token. A hash only says where to look, so a token
/// that was made to have the same one finds nothing. Only good tokens get in, so strangers fill
/// nothing up. An entry is of no use once other keys are in force.
pub(crate) struct TokenCache {
    entries: Cache<Token, Entry, Weight, DefaultHashBuilder>,
}

#[derive(Clone)]
struct Entry {
    claims: Arc<AccessClaims>,
    /// The version of the set of keys that the token was checked with.
    keys: u64,
}

impl TokenCache {
    /// A cache of about `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let estimated = usize::try_from(bytes / 1536).unwrap_or(usize::MAX);
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { entries: Cache::with(estimated, bytes, Weight, hasher, lifecycle) }
    }

    /// What `token` says, if it was checked with this version of the keys.
    pub(crate) fn get(&self, token: &str, keys: u64) -> Option<Arc<AccessClaims>> {
        let entry = self.entries.get(&Presented(token))?;
        (entry.keys == keys).then_some(entry.claims)
    }

    /// Remembers a good token.
    pub(crate) fn insert(&self, token: &str, keys: u64, claims: Arc<AccessClaims>) {
        self.entries.insert(Token(token.into()), Entry { claims, keys });
    }

    /// Forgets a token, because it is past its time.
    pub(crate) fn remove(&self, token: &str) {
        self.entries.remove(&Presented(token));
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Token, Entry> for Weight {
    fn weight(&self, token: &Token, _: &Entry) -> u64 {
        (token.0.len() + OVERHEAD) as u64
    }
}

/// A token that is kept.
struct Token(Box<str>);

/// A token that is looked for.
struct Presented<'a>(&'a str);

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Presented(&self.0).hash(state);
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Token {}

impl Hash for Presented<'_> {
    /// Hashes the last bytes only: they are of the signature, so they differ between good tokens.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        state.write(bytes.last_chunk::<32>().map_or(bytes, |last| last));
    }
}

impl Equivalent<Token> for Presented<'_> {
    fn equivalent(&self, token: &Token) -> bool {
        *self.0 == *token.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::claims;

    fn cache_with(token: &str) -> TokenCache {
        let cache = TokenCache::new(1 << 20);
        cache.insert(token, 1, Arc::new(claims()));
        cache
    }

    #[test]
    fn a_token_is_found_by_its_whole_text() {
        let token = format!("{}{}", "a".repeat(100), "s".repeat(86));
        let cache = cache_with(&token);
        assert_eq!(*cache.get(&token, 1).unwrap(), claims());
        let same_end = format!("{}{}", "b".repeat(100), "s".repeat(86));
        assert!(cache.get(&same_end, 1).is_none());
        assert!(cache.get(&token[1..], 1).is_none());
    }

    #[test]
    fn other_keys_make_an_entry_useless() {
        assert!(cache_with("a.b.c").get("a.b.c", 2).is_none());
    }

    #[test]
    fn it_is_bounded() {
        let cache = TokenCache::new(100 * 1024);
        for number in 0..10_000 {
            cache.insert(&format!("token {number}"), 1, Arc::new(claims()));
        }
        assert!(cache.entries.weight() <= 100 * 1024);
        assert!(cache.entries.len() > 10);
    }

    #[test]
    fn s80_debug_shows_no_token() {
        assert!(!format!("{:?}", cache_with("tok.en.x")).contains("tok"));
    }
}
