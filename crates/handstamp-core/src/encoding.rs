//! Base64url without padding, canonical or refused, into arrays of a known length.

/// The digits of base64url.
const DIGITS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Encodes `bytes` as base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = vec![0; (bytes.len() * 4).div_ceil(3)];
    encode_into(bytes, &mut text);
    // It is ASCII all over.
    String::from_utf8(text).unwrap_or_default()
}

/// The longest text that takes no memory of its own.
const SHORT: usize = 64;

/// What `with` makes of `bytes` as base64url without padding. Ids and salts are many, and short.
pub(crate) fn with_text<T>(bytes: &[u8], with: impl FnOnce(&str) -> T) -> T {
    let mut room = [0; SHORT];
    let Some(text) = room.get_mut(..(bytes.len() * 4).div_ceil(3)) else {
        return with(&encode(bytes));
    };
    encode_into(bytes, text);
    // It is ASCII all over.
    with(std::str::from_utf8(text).unwrap_or_default())
}

/// Encodes `bytes` as base64url without padding into `text`, which has exactly the room. A room
/// of another size is left as it was, and no token is like it.
///
/// Every answer tells the id of its session, so this is not the encoder of the `base64` crate: it
/// takes less than half of the steps for so short a text. A test holds it against that one.
pub(crate) fn encode_into(bytes: &[u8], text: &mut [u8]) {
    if text.len() != (bytes.len() * 4).div_ceil(3) {
        return;
    }
    let digit = |bits: u32, shift: u32| DIGITS[(bits >> shift) as usize & 63];
    let ((triples, rest), (groups, tail)) = (bytes.as_chunks::<3>(), text.as_chunks_mut::<4>());
    for ([a, b, c], group) in triples.iter().zip(groups) {
        let bits = u32::from(*a) << 16 | u32::from(*b) << 8 | u32::from(*c);
        *group = [digit(bits, 18), digit(bits, 12), digit(bits, 6), digit(bits, 0)];
    }
    let left = |at: usize| rest.get(at).map_or(0, |byte| u32::from(*byte));
    let bits = left(0) << 16 | left(1) << 8;
    for (character, shift) in tail.iter_mut().zip([18, 12, 6]) {
        *character = digit(bits, shift);
    }
}

/// Decodes canonical base64url of exactly `N` bytes; anything else is `None`.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0_u8; N];
    decode_into(text, &mut out).then_some(out)
}

/// Decodes canonical base64url of exactly `N` bytes to where they belong; answers whether it was.
///
/// Every request with a cookie passes here, so this is not the decoder of the `base64` crate: a
/// known length needs no bounds, and a table and one check at the end take half of its steps. A
/// test holds it against that one.
pub(crate) fn decode_into<const N: usize>(text: &[u8], out: &mut [u8; N]) -> bool {
    if text.len() != (N * 4).div_ceil(3) {
        return false;
    }
    let ((groups, rest), (triples, tail)) = (text.as_chunks::<4>(), out.as_chunks_mut::<3>());
    let mut seen = 0;
    for (characters, triple) in groups.iter().zip(triples) {
        let bits = group(characters);
        seen |= bits;
        *triple = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
    }
    let mut bits = 0;
    for character in rest {
        let value = u32::from(VALUES[usize::from(*character)]);
        seen |= value << 24;
        bits = bits << 6 | value;
    }
    bits <<= 6 * (4 - rest.len()) % 24;
    for (at, byte) in tail.iter_mut().enumerate() {
        *byte = (bits >> (16 - 8 * at)) as u8;
    }
    // What is left over of the last character must be zero, or two texts would mean the same.
    let left_over = bits & (0xff_ffff >> (8 * tail.len()));
    let is_canonical = rest.is_empty() || left_over == 0;
    is_canonical && seen & NO_GROUP == 0
}

/// Set in what [`group`] answers for characters of which one is no digit.
pub(crate) const NO_GROUP: u32 = 1 << 31;

/// The 24 bits of four characters of base64url.
///
/// One by one: what maps an array is called for each of them.
#[inline]
pub(crate) fn group([a, b, c, d]: &[u8; 4]) -> u32 {
    let (a, b) = (VALUES[usize::from(*a)], VALUES[usize::from(*b)]);
    let (c, d) = (VALUES[usize::from(*c)], VALUES[usize::from(*d)]);
    let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
    bits | u32::from((a | b | c | d) & NO_DIGIT) << 24
}

/// Set in the value of what is no digit; no digit's value has it.
const NO_DIGIT: u8 = 0x80;

/// What each byte is worth as a digit of base64url.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Writes fixed byte arrays as base64url text in stored formats.
pub(crate) mod serde_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        super::with_text(bytes, |text| to.serialize_str(text))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        super::decode(text.as_bytes()).ok_or_else(|| D::Error::custom("not canonical base64url"))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{decode, encode, encode_into, with_text};

    #[test]
    fn it_encodes_as_the_base64_crate_does() {
        let bytes: Vec<u8> = (0..=255).map(|at: u8| at.wrapping_mul(197)).collect();
        for length in 0..bytes.len() {
            let text = URL_SAFE_NO_PAD.encode(&bytes[..length]);
            assert_eq!(encode(&bytes[..length]), text);
            with_text(&bytes[..length], |short| assert_eq!(short, text));
        }
        let mut room = [7; 5];
        encode_into(&[1, 2, 3], &mut room);
        assert_eq!(room, [7; 5], "a room of another size");
    }

    /// Whether our decoder and that of the `base64` crate say the same.
    fn agree<const N: usize>(text: &[u8]) {
        let theirs = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        assert_eq!(decode::<N>(text), theirs, "{:?}", String::from_utf8_lossy(text));
    }

    /// All bytes in each place of a text of `N` bytes, and every length around it.
    fn agree_around<const N: usize>() {
        let bytes: [u8; N] = std::array::from_fn(|at| (at * 37 + N) as u8);
        let text = encode(&bytes).into_bytes();
        for at in 0..text.len() {
            for byte in 0..=255 {
                let mut bent = text.clone();
                bent[at] = byte;
                agree::<N>(&bent);
            }
        }
        (0..text.len() + 3).for_each(|length| agree::<N>(&b"A".repeat(length)));
    }

    #[test]
    fn it_decodes_what_the_base64_crate_decodes_and_nothing_else() {
        agree_around::<1>();
        agree_around::<2>();
        agree_around::<3>();
        agree_around::<16>();
        agree_around::<18>();
        agree_around::<33>();
        agree_around::<56>();
    }

    #[test]
    fn only_the_canonical_form_of_the_right_length_decodes() {
        let text = encode(&[1, 2, 3, 4]);
        assert_eq!(decode::<4>(text.as_bytes()), Some([1, 2, 3, 4]));
        assert_eq!(decode::<3>(text.as_bytes()), None);
        assert_eq!(decode::<4>(b"AQIDBB"), None, "trailing bits set");
        assert_eq!(decode::<4>(b"AQIDBA=="), None, "padding");
        assert_eq!(decode::<4>(b"AQID+A"), None, "other alphabet");
    }
}
