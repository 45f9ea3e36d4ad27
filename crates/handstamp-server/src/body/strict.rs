//! What serde lets pass and this service does not: keys given twice, and deep nesting.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The deepest nesting: far above what any request needs, far below what costs a stack.
const DEEPEST: usize = 64;

/// Why a text is not JSON as we take it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The field, as `a.b`; empty for the whole.
    pub(super) path: String,
    /// What is wrong.
    pub(super) what: String,
}

/// Walks through the whole text once, keeping nothing.
pub(super) fn check(text: &[u8]) -> Result<(), Wrong> {
    let mut path = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let walked = Walk { path: &mut path }.deserialize(&mut json).and_then(|()| json.end());
    walked.map_err(|error| {
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or(&said).to_owned();
        Wrong { path: path.join("."), what }
    })
}

/// Walks through one value. `path` says where it stands; it is left where the walk broke off.
struct Walk<'a> {
    path: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        if self.path.len() > DEEPEST {
            return Err(D::Error::custom("nested too deep"));
        }
        from.deserialize_any(self)
    }
}

macro_rules! pass {
    ($($visit:ident($value:ty)),*) => {
        $(fn $visit<E>(self, _: $value) -> Result<(), E> { Ok(()) })*
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    pass!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.path.push(String::new());
        let mut number = 0_usize;
        loop {
            if let Some(last) = self.path.last_mut() {
                *last = number.to_string();
            }
            if items.next_element_seed(Walk { path: self.path })?.is_none() {
                self.path.pop();
                return Ok(());
            }
            number += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.path.push(name.clone());
            if !names.insert(name) {
                return Err(A::Error::custom("given twice"));
            }
            members.next_value_seed(Walk { path: self.path })?;
            self.path.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (String, String) {
        let Wrong { path, what } = check(text.as_bytes()).unwrap_err();
        (path, what)
    }

    #[test]
    fn a_key_given_twice_is_found_wherever_it_stands() {
        assert_eq!(wrong(r#"{"a":1,"a":2}"#), ("a".into(), "given twice".into()));
        assert_eq!(wrong(r#"{"a":[{"b":1},{"b":1,"b":2}]}"#).0, "a.1.b");
        // Written otherwise, and yet the same key.
        assert_eq!(wrong(r#"{"a":1,"\u0061":2}"#).0, "a");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(DEEPEST).as_bytes()), Ok(()));
        assert_eq!(wrong(&nested(DEEPEST + 2)).1, "nested too deep");
    }

    #[test]
    fn good_json_passes() {
        let text = r#"{"a":[1,-2,3.5,true,null,"x"],"b":{"a":{}}}"#;
        assert_eq!(check(text.as_bytes()), Ok(()));
    }
}
