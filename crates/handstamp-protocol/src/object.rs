//! A JSON object of the application's own.

use std::fmt;

use serde::{Deserialize, Serialize};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_without_values() {
        let object: Object = serde_json::from_str(r#"{"card":"4111"}"#).unwrap();
        assert_eq!(format!("{object:?}"), r#"{"card"}"#);
    }
}
