//! What a setting may be: from what was given to a value, and back to what is shown.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::row::Row;

/// How much of a wrong value is repeated, in characters.
const SHOWN: usize = 60;

/// What stands for "no value".
const NONE: &str = "none";

/// A value as it was given. Not `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Raw {
    /// A text in the file.
    Text(String),
    /// A whole number in the file.
    Number(i128),
    /// `true` or `false` in the file.
    Truth(bool),
    /// A list in the file.
    List(Vec<Self>),
    /// Something in the file that no setting is.
    Other(&'static str),
    /// What a flag or an environment variable says: its type is the setting's.
    Loose(String),
}

/// What does not fit, as it may be repeated.
pub(super) struct Wrong(pub(super) String);

impl Raw {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Loose(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::List(_) => "a list".into(),
            Self::Other(what) => (*what).into(),
        }
    }

    pub(super) fn wrong<T>(&self) -> Result<T, Wrong> {
        Err(Wrong(self.shown()))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Loose(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Loose(text) if text.bytes().all(|c| c.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    fn list(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Loose(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(parts.map(|part| Self::Loose(part.into())).collect())
            }
            _ => None,
        }
    }
}

/// A text between quotes, cut where it is long, without anything that moves a cursor.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A type that settings have.
pub(super) trait Value: Sized {
    /// Whether it is never shown.
    const IS_SECRET: bool = false;

    /// What may be given, in words.
    fn allowed(row: &Row) -> String;

    /// Takes what was given, if it is allowed.
    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong>;

    /// How the value is shown; `null` is shown as `none`.
    fn shown(&self, row: &Row) -> Json;
}

impl Value for bool {
    fn allowed(_: &Row) -> String {
        "true or false".into()
    }

    fn read(raw: &Raw, _: &Row) -> Result<Self, Wrong> {
        match raw {
            Raw::Truth(truth) => Ok(*truth),
            Raw::Loose(text) if text == "true" => Ok(true),
            Raw::Loose(text) if text == "false" => Ok(false),
            other => other.wrong(),
        }
    }

    fn shown(&self, _: &Row) -> Json {
        (*self).into()
    }
}

/// A number between the bounds of its row.
fn bounded(raw: &Raw, row: &Row) -> Result<u64, Wrong> {
    let number = raw.number().filter(|number| (row.least..=row.most).contains(number));
    number.map_or_else(|| raw.wrong(), Ok)
}

fn bounds(row: &Row) -> String {
    let what = row.unit().map_or_else(|| "a whole number".into(), |unit| format!("whole {unit}"));
    match (row.least, row.most) {
        (least, u64::MAX) => format!("{what}, at least {least}"),
        (least, most) => format!("{what}, {least} to {most}"),
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn allowed(row: &Row) -> String {
                bounds(row)
            }

            fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
                Self::try_from(bounded(raw, row)?).or_else(|_| raw.wrong())
            }

            fn shown(&self, _: &Row) -> Json {
                (*self).into()
            }
        }
    )*};
}

numbers!(u8 u32 u64 usize);

impl Value for Duration {
    fn allowed(row: &Row) -> String {
        bounds(row)
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        let seconds = bounded(raw, row)?.checked_mul(row.seconds());
        seconds.map_or_else(|| raw.wrong(), |seconds| Ok(Self::from_secs(seconds)))
    }

    fn shown(&self, row: &Row) -> Json {
        (self.as_secs() / row.seconds()).into()
    }
}

impl<T: Value> Value for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn allowed(row: &Row) -> String {
        format!("{}, or {NONE:?}", T::allowed(row))
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        if raw.text() == Some(NONE) { Ok(None) } else { T::read(raw, row).map(Some) }
    }

    fn shown(&self, row: &Row) -> Json {
        self.as_ref().map_or(Json::Null, |value| value.shown(row))
    }
}

impl<T: Value> Value for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn allowed(row: &Row) -> String {
        format!("a list of {}", T::allowed(row))
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        let Some(items) = raw.list() else { return raw.wrong() };
        items.iter().map(|item| T::read(item, row)).collect()
    }

    fn shown(&self, row: &Row) -> Json {
        self.iter().map(|item| item.shown(row)).collect()
    }
}

/// A text of the length that its row allows, without control characters.
pub(super) fn text<'a>(raw: &'a Raw, row: &Row) -> Result<&'a str, Wrong> {
    let is_good = |text: &&str| {
        let length = text.len() as u64;
        (row.least.max(1)..=row.most).contains(&length) && !text.chars().any(char::is_control)
    };
    raw.text().filter(is_good).map_or_else(|| raw.wrong(), Ok)
}

impl Value for String {
    fn allowed(row: &Row) -> String {
        match row.most {
            u64::MAX => "a text".into(),
            most => format!("a text of {} to {most} bytes", row.least.max(1)),
        }
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        text(raw, row).map(Into::into)
    }

    fn shown(&self, _: &Row) -> Json {
        self.as_str().into()
    }
}

impl Value for PathBuf {
    fn allowed(_: &Row) -> String {
        "a path".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        text(raw, row).map(Into::into)
    }

    fn shown(&self, _: &Row) -> Json {
        self.to_string_lossy().into()
    }
}

impl Value for SocketAddr {
    fn allowed(_: &Row) -> String {
        "an IP address and a port, like 127.0.0.1:7070 or [::1]:7070".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        text(raw, row)?.parse().or_else(|_| raw.wrong())
    }

    fn shown(&self, _: &Row) -> Json {
        self.to_string().into()
    }
}

impl Value for IpNet {
    fn allowed(_: &Row) -> String {
        "IP addresses or networks, like 10.0.0.7 or 10.0.0.0/8, never all there are".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        let text = text(raw, row)?;
        let network = text.parse::<Self>().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        // Whoever trusts everybody believes whatever address anybody claims.
        network.ok().filter(|network| network.prefix_len() > 0).map_or_else(|| raw.wrong(), Ok)
    }

    fn shown(&self, _: &Row) -> Json {
        self.to_string().into()
    }
}
