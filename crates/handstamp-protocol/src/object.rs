//! JSON objects: of the application's own, and of ours within a request.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What the application keeps in a session or claims of its user; Handstamp only carries it.
///
/// # Security
/// `Debug` shows the names and not the values, which may be anything.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent))]
pub struct Object(pub Map<String, Value>);

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads a struct from an object only: by itself serde takes a list of its values too, in the order
/// of its fields.
pub(crate) fn only<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_map(OnlyObject(PhantomData))
}

/// As [`only`], or `null`.
pub(crate) fn optional<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_option(Optional(PhantomData))
}

struct OnlyObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyObject<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

struct Optional<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        only(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::EndRequest;
    use crate::sessions::BeginRequest;

    #[test]
    fn an_object_within_a_request_is_never_read_off_a_list() {
        let begin = |more: &str| {
            serde_json::from_str::<BeginRequest>(&format!(r#"{{"subject":"ada",{more}}}"#))
        };
        assert!(begin(r#""client":{"fingerprint":"f"},"lifetime":{"idle_seconds":9}"#).is_ok());
        assert_eq!(begin(r#""lifetime":null"#).unwrap().lifetime, None);
        assert!(begin(r#""client":["192.0.2.1",null,null,null]"#).is_err());
        assert!(begin(r#""lifetime":[1,2]"#).is_err());
        assert!(begin(r#""client":null"#).is_err());
        assert!(serde_json::from_str::<EndRequest>(r#"{"filter":[null]}"#).is_err());
        assert!(serde_json::from_str::<EndRequest>(r#"{"filter":{"subject":"ada"}}"#).is_ok());
    }

    #[test]
    fn debug_shows_names_without_values() {
        let object: Object = serde_json::from_str(r#"{"card":"4111"}"#).unwrap();
        assert_eq!(format!("{object:?}"), r#"{"card"}"#);
    }
}
