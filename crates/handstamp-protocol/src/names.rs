//! Names that may grow: an enum with the known ones, and the text of any other.

/// Makes an enum whose values are text on the wire. Text that it does not know becomes `Other`
/// and is written again as it was.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// One that this version does not know.
            Other(Box<str>),
        }

        impl $name {
            /// Every known one, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }

            /// Whether this version knows it.
            pub const fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                Ok(Self::from(&*text))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let known = [$($text),+];
                schemars::json_schema!({
                    "type": "string",
                    "description": format!("One of {}; later versions may know more.", known.join(", ")),
                    "examples": known,
                })
            }
        }
    };
}

pub(crate) use names;

#[cfg(test)]
mod tests {
    use crate::sessions::Reason;

    #[test]
    fn a_known_name_is_its_variant_and_reads_back() {
        for reason in Reason::ALL {
            assert!(reason.is_known());
            assert_eq!(Reason::from(reason.as_str()), *reason);
            assert_eq!(reason.to_string(), reason.as_str());
        }
        assert_eq!(serde_json::from_str::<Reason>("\"logout_all\"").unwrap(), Reason::LogoutAll);
    }

    #[test]
    fn an_unknown_name_is_kept_as_it_was() {
        let later: Reason = serde_json::from_str("\"eclipse\"").unwrap();
        assert_eq!(later, Reason::Other("eclipse".into()));
        assert!(!later.is_known());
        assert_eq!(serde_json::to_string(&later).unwrap(), "\"eclipse\"");
    }

    #[test]
    fn what_is_no_text_is_no_name() {
        assert!(serde_json::from_str::<Reason>("7").is_err());
        assert!(serde_json::from_str::<Reason>("null").is_err());
    }
}
