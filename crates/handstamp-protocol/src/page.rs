//! Pages of lists: by key, never by number, and without a total.

use serde::{Deserialize, Serialize};

/// How many entries a page has when nobody says.
pub const DEFAULT_LIMIT: u16 = 50;
/// How many entries a page may have at most; the least is 1.
pub const MAX_LIMIT: u16 = 200;

/// Which page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PageQuery {
    /// How many entries: 1 to 200, 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 200)))]
    pub limit: Option<u16>,
    /// `next` of the page before; the first page has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
