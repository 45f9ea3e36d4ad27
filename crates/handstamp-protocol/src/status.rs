//! Is my session live, and for how long?

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::names::names;
use crate::sessions::{Reason, Session};

names! {
    /// What will be over first.
    FirstToExpire {
        /// The idle lifetime.
        Idle = "idle",
        /// The absolute lifetime.
        Absolute = "absolute",
        /// The access token; the session lasts longer.
        Token = "token",
    }
}

/// `GET /sessions/status`. Always answered with 200; asking is no activity.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Status"))]
#[serde(untagged)]
pub enum Status<T = String> {
    /// The session is live.
    Active(Box<ActiveStatus<T>>),
    /// There is none, or it is not live.
    Inactive(InactiveStatus),
}

impl<T> Status<T> {
    /// Whether the session is live.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }
}

/// The status of a live session. Whoever only writes it may borrow its texts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ActiveStatus"))]
pub struct ActiveStatus<T = String> {
    /// Always `true`.
    pub is_active: True,
    /// The application's id of the user.
    pub user_id: Option<T>,
    /// Display name.
    pub username: Option<T>,
    /// E-mail address.
    pub email: Option<T>,
    /// When the session began.
    pub session_created: Time,
    /// The last activity.
    pub last_activity: Time,
    /// When what the caller presented is over, at the latest.
    pub expires_at: Time,
    /// What it runs on, in words.
    pub device_info: Option<T>,
    /// Where it was last used from.
    pub ip_address: Option<IpAddr>,
    /// Whole seconds until `expires_at`.
    pub remaining_seconds: u64,
    /// Whether it is time to refresh.
    pub needs_refresh: bool,
    /// What will be over first.
    pub first_to_expire: FirstToExpire,
    /// The session.
    pub session: Session<T>,
}

/// The status of no session, or of a dead one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InactiveStatus {
    /// Always `false`.
    pub is_active: False,
    /// What is the matter, for people.
    pub message: String,
    /// Why the session ended, to whoever proves to have held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// A field that is always `true`: what tells two answers apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct True;

/// A field that is always `false`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct False;

macro_rules! always {
    ($name:ident, $value:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_bool($value)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let is_so = bool::deserialize(from)? == $value;
                let expected = concat!("always ", stringify!($value));
                is_so.then_some(Self).ok_or_else(|| serde::de::Error::custom(expected))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "boolean", "const": $value })
            }
        }
    };
}

always!(True, true);
always!(False, false);
