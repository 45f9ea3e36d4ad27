//! The text of a token, as the near cache compares it: a hit decodes the session id and no more.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{TEXT_LEN, Token};
use crate::encoding;
use crate::id::SessionId;

/// The text and what fills it up to whole words.
const ROOM: usize = TEXT_LEN.next_multiple_of(8);

/// 75 characters that may be a token, without the prefix of a refresh token.
///
/// One that was presented is not wiped when it is dropped: the request's own header has it too.
#[derive(Clone, Copy, Zeroize)]
pub(crate) struct TokenText([u8; ROOM]);

impl TokenText {
    /// Takes what was presented; `None` when its length is not that of a token.
    #[inline]
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text: &[u8; TEXT_LEN] = text.try_into().ok()?;
        let mut room = [0; ROOM];
        room[..TEXT_LEN].copy_from_slice(text);
        Some(Self(room))
    }

    /// The text of `token`.
    pub(crate) fn of(token: &Token) -> Self {
        let mut room = [0; ROOM];
        encoding::encode_into(&token.0, &mut room[..TEXT_LEN]);
        Self(room)
    }

    /// The characters.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0[..TEXT_LEN]
    }

    /// Which session it names, if it can be a token.
    ///
    /// The id is bytes 2 to 20 of the token, in the first seven groups of four characters. It is put
    /// together in words, of which one is what the cache hashes: to read a word that was written in
    /// small pieces takes longer than to decode it.
    #[inline]
    pub(crate) fn session(&self) -> Option<SessionId> {
        let [head, a, b, c, d, e, f, ..] = self.0.as_chunks::<4>().0 else { return None };
        let bits = |characters| u64::from(encoding::group(characters));
        let (head, a, b, c) = (bits(head), bits(a), bits(b), bits(c));
        let (d, e, f) = (bits(d), bits(e), bits(f));
        if (head | a | b | c | d | e | f) & u64::from(encoding::NO_GROUP) != 0 {
            return None;
        }
        let mut id = [0; SessionId::LEN];
        let [first, words @ .., last] = &mut id;
        let (words, _) = words.as_chunks_mut::<8>();
        let [one, two] = words else { return None };
        *first = head as u8;
        *one = (a << 40 | b << 16 | c >> 8).to_be_bytes();
        *two = (c << 56 | d << 32 | e << 8 | f >> 16).to_be_bytes();
        *last = (f >> 8) as u8;
        Some(SessionId::from_bytes(id))
    }

    /// The token, if it is one that a cookie may hold.
    pub(crate) fn to_cookie(self) -> Option<Token> {
        Token::from_cookie(self.as_bytes())
    }

    /// The token of either kind, if it is canonical.
    pub(crate) fn to_token(self) -> Option<Token> {
        encoding::decode(self.as_bytes()).map(Token)
    }

    /// Whether both are the same text, compared in constant time: all words, whatever the first
    /// ones say.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let difference =
            (0..ROOM / 8).fold(0, |found, at| found | (self.word(at) ^ other.word(at)));
        difference.ct_eq(&0).into()
    }

    #[inline]
    fn word(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0.as_chunks::<8>().0[at])
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyRing;
    use crate::record::Transport;
    use crate::token::tests::a_token;

    #[test]
    fn it_names_the_session_of_its_token_and_turns_back_into_it() {
        let keys = KeyRing::generate().unwrap();
        let token = a_token(&keys, Transport::Cookie);
        let text = TokenText::of(&token);
        assert_eq!(&text.0[..TEXT_LEN], token.to_text().as_bytes());
        assert_eq!(text.session(), Some(token.session()));
        assert!(text.to_cookie().unwrap().is_same(&token));
        assert!(TokenText::read(token.to_text().as_bytes()).unwrap().is_same(&text));
    }

    #[test]
    fn it_is_the_same_only_if_every_character_is() {
        let keys = KeyRing::generate().unwrap();
        let text = TokenText::of(&a_token(&keys, Transport::Cookie));
        for at in 0..TEXT_LEN {
            let mut other = text;
            other.0[at] ^= 1;
            assert!(!text.is_same(&other), "character {at}");
        }
    }

    #[test]
    fn what_is_no_token_names_nobody_or_is_no_token() {
        assert!(TokenText::read(&[b'A'; TEXT_LEN - 1]).is_none());
        assert!(TokenText::read(&[b'A'; TEXT_LEN + 1]).is_none());
        let odd = TokenText::read(&[b'!'; TEXT_LEN]).unwrap();
        assert!(odd.session().is_none() && odd.to_cookie().is_none());
        let keys = KeyRing::generate().unwrap();
        let refresh = TokenText::of(&a_token(&keys, Transport::Token));
        assert!(refresh.to_cookie().is_none() && refresh.to_token().is_some());
    }
}
