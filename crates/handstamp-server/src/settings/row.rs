//! One row of the table of settings, and the macro that makes rows and structs from one text.

use serde_json::Value as Json;

use super::reader::Reader;

/// What is known of a setting before anybody sets it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The section it stands in.
    pub section: &'static str,
    /// Its key there.
    pub key: &'static str,
    /// The default, as a flag or an environment variable would say it.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether the preset decides the default.
    pub is_by_preset: bool,
    /// Whether its value is never shown.
    pub is_secret: bool,
    /// The least it may be, in its unit; of a text, its length in bytes.
    pub(super) least: u64,
    /// The most it may be.
    pub(super) most: u64,
}

impl Row {
    /// Section and key: `sessions.idle_seconds`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that overrides it: `HANDSTAMP_SESSIONS_IDLE_SECONDS`.
    pub fn variable(&self) -> String {
        format!("{}{}_{}", super::PREFIX, self.section, self.key).to_ascii_uppercase()
    }

    /// What its number counts, which its key ends with.
    pub fn unit(&self) -> Option<&'static str> {
        UNITS.iter().find(|(end, _, _)| self.key.ends_with(end)).map(|(_, unit, _)| *unit)
    }

    /// How many seconds one of its unit has.
    pub(super) fn seconds(&self) -> u64 {
        let unit = UNITS.iter().find(|(end, _, _)| self.key.ends_with(end));
        unit.map_or(1, |(_, _, seconds)| *seconds)
    }
}

/// End of a key, unit, seconds.
const UNITS: [(&str, &str, u64); 6] = [
    ("_seconds", "seconds", 1),
    ("_days", "days", 86_400),
    ("_bytes", "bytes", 1),
    ("_percent", "percent", 1),
    ("_kmh", "km/h", 1),
    ("_km", "km", 1),
];

/// A section: a struct whose fields are rows of the table.
pub(super) trait Section: Sized {
    /// Its rows.
    const ROWS: &[Row];

    /// Reads every row; the reader keeps what is wrong.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// What each row would show.
    fn says(&self) -> Vec<(&'static Row, Json)>;
}

/// Declares a section: the struct that the service takes, and the rows of the table.
///
/// A row is `field [as key]: Type = "default" [by preset] [in least..=most];` under its
/// documentation, all on one line, because `cargo xtask docs` reads the reference off it.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident = $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident $(as $key:ident)?: $type:ty = $default:literal
                $(by $preset:ident)? $(in $least:literal..=$most:literal)?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Section for $name {
            const ROWS: &[Row] = &[$(Row {
                section: $section,
                key: section!(@key $field $($key)?),
                default: $default,
                about: concat!($($doc),+).trim_ascii(),
                is_by_preset: section!(@preset $($preset)?),
                is_secret: <$type as Value>::IS_SECRET,
                least: section!(@least $($least)?),
                most: section!(@most $($most)?),
            },)*];

            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                let mut rows = Self::ROWS.iter();
                $(let $field = rows.next().and_then(|row| reader.read::<$type>(row));)*
                Some(Self { $($field: $field?,)* })
            }

            fn says(&self) -> Vec<(&'static Row, Json)> {
                let mut rows = Self::ROWS.iter();
                [$(rows.next().map(|row| (row, self.$field.shown(row))),)*]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:ident) => { stringify!($key) };
    (@preset) => { false };
    (@preset preset) => { true };
    (@least) => { 0 };
    (@least $least:literal) => { $least };
    (@most) => { u64::MAX };
    (@most $most:literal) => { $most };
}

pub(super) use section;
