//! The tables of a store, as every store that can be taken elsewhere shows them.

use super::row::Value;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A number of 64 bits.
    Number,
    /// A number of 16 bits.
    Small,
    /// Yes or no: 1 or 0.
    Flag,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table: rows in the order of their keys, bytes and texts compared byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many columns, the first of all, are its key.
    pub key: usize,
    /// Its columns.
    pub columns: &'static [Column],
}

impl Table {
    /// The key of a row.
    pub fn key_of<'a>(&self, row: &'a [Value]) -> &'a [Value] {
        row.get(..self.key).unwrap_or(row)
    }

    /// A key as it is told to an operator.
    pub fn told(&self, row: &[Value]) -> String {
        let parts: Vec<String> = self.key_of(row).iter().map(Value::to_string).collect();
        format!("{} {}", self.name, parts.join(" "))
    }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: Kind::Number }
}

const fn small(name: &'static str) -> Column {
    Column { name, kind: Kind::Small }
}

const fn flag(name: &'static str) -> Column {
    Column { name, kind: Kind::Flag }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes }
}

/// Shelf and key of the document of the ledger that holds a store's [`Standing`](super::Standing).
/// It is no part of what is taken.
pub const MARK: (&str, &str) = ("store", "standing");

/// Records.
pub const SESSIONS: Table = Table {
    name: "sessions",
    key: 1,
    columns: &[
        bytes("id"),
        number("version"),
        bytes("change_id"),
        text("subject"),
        number("epoch"),
        number("deployment_epoch"),
        text("kind"),
        text("transport"),
        text("roles"),
        number("created_at"),
        number("authenticated_at"),
        number("last_seen"),
        number("absolute_expiry"),
        number("idle_ms"),
        number("due_at"),
        text("ip"),
        text("user_agent"),
        text("device"),
        text("country"),
        text("location"),
        text("label"),
        flag("is_remembered"),
        number("ended_at"),
        text("ended_reason"),
        text("body"),
        text("data"),
    ],
};

const HEADS: Table = Table {
    name: "heads",
    key: 1,
    columns: &[
        text("subject"),
        number("version"),
        number("epoch"),
        flag("is_disabled"),
        text("roles"),
        number("live"),
        number("live_in"),
        text("moved"),
    ],
};

const BINDINGS: Table = Table {
    name: "bindings",
    key: 1,
    columns: &[bytes("session"), number("version"), bytes("body")],
};

/// Small documents.
pub const LEDGER: Table = Table {
    name: "ledger",
    key: 2,
    columns: &[text("shelf"), text("key"), number("version"), text("body"), number("due_at")],
};

const FIGURES: Table = Table {
    name: "figures",
    key: 4,
    columns: &[
        text("report"),
        text("bucket"),
        number("at"),
        text("name"),
        number("count"),
        number("failed"),
        number("subjects"),
        number("total_ms"),
    ],
};

const VISITS: Table = Table {
    name: "visits",
    key: 4,
    columns: &[
        text("bucket"),
        number("at"),
        text("subject"),
        text("ip"),
        number("count"),
        number("failed"),
    ],
};

const OPEN_SESSIONS: Table = Table {
    name: "open_sessions",
    key: 1,
    columns: &[bytes("id"), number("began"), text("device"), number("epoch")],
};

const LIVE_DEVICES: Table =
    Table { name: "live_devices", key: 1, columns: &[text("device"), number("live")] };

const CUTS: Table = Table {
    name: "cuts",
    key: 1,
    columns: &[
        number("writer"),
        number("batch"),
        number("event"),
        bytes("link"),
        small("key_id"),
        bytes("signature"),
    ],
};

const ERASED: Table =
    Table { name: "erased", key: 1, columns: &[number("writer"), number("batch")] };

/// Every table but those of the audit log, in an order in which none comes before what it refers
/// to.
pub const TABLES: [&Table; 10] = [
    &SESSIONS,
    &HEADS,
    &BINDINGS,
    &LEDGER,
    &FIGURES,
    &VISITS,
    &OPEN_SESSIONS,
    &LIVE_DEVICES,
    &CUTS,
    &ERASED,
];

/// Batches of the audit log, each of the events from `first_event` to `last_event`.
pub const BATCHES: Table = Table {
    name: "batches",
    key: 2,
    columns: &[
        number("writer"),
        number("number"),
        small("key_id"),
        bytes("link"),
        number("first_event"),
        number("last_event"),
        number("until_at"),
    ],
};

/// Events of the audit log.
pub const EVENTS: Table = Table {
    name: "events",
    key: 2,
    columns: &[
        number("writer"),
        number("number"),
        bytes("id"),
        number("at"),
        text("action"),
        text("subject"),
        bytes("session"),
        text("actor"),
        flag("is_success"),
        text("error"),
        text("details"),
        text("personal"),
        bytes("salt"),
        bytes("personal_hash"),
    ],
};
