//! Figures over time.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::names::names;

names! {
    /// What is counted.
    Series {
        /// Sign-ins.
        Logins = "logins",
        /// Live sessions.
        Active = "active",
        /// Sessions by device.
        Devices = "devices",
        /// How long sessions lasted.
        Durations = "durations",
        /// Sign-ins that failed.
        Failures = "failures",
        /// Addresses, and how many users each had.
        Ips = "ips",
        /// Sessions by country.
        Countries = "countries",
    }
}

names! {
    /// How long one point stands for.
    Bucket {
        /// An hour.
        Hour = "hour",
        /// A day in UTC.
        Day = "day",
        /// A week in UTC, from Monday.
        Week = "week",
    }
}

/// `GET /admin/analytics/{series}`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnalyticsQuery {
    /// From then on; seven days ago by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until then; now by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// `day` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Bucket>,
}

/// One series.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Analytics {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// How long a point stands for.
    pub bucket: Bucket,
    /// Points in order; one for each name where there are names.
    pub points: Vec<Point>,
}

/// One figure. The fields that a series has no use for are left out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// Where the bucket begins.
    pub at: Time,
    /// What is counted: a device, an address, a country, a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub count: u64,
    /// How many of them failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// How many different users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<u64>,
    /// Mean length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_seconds: Option<u64>,
    /// Half were shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_seconds: Option<u64>,
    /// 19 of 20 were shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_seconds: Option<u64>,
}
