//! Text that nobody should see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A token, a key or a signing secret on its way.
///
/// # Security
/// `Debug` shows nothing of it and there is no `Display`, so it does not get into a log by
/// accident; and there is no `==`, which would not take constant time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent, extend("format" = "password")))]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever must send or check it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text itself, moved out.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_and_the_wire_everything() {
        let secret = Secret::new("hsr_abc");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hsr_abc\"");
    }
}
