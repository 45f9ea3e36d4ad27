//! What must hold of a row in a list, with the values that it is compared with.

use std::fmt::Write;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::link::Statement;

/// A value that a column is compared with.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Bytes(Vec<u8>),
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Conditions, all of which must hold.
#[derive(Default)]
pub(crate) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// `sql` must hold too.
    pub(crate) fn hold(&mut self, sql: &'static str) {
        self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
        self.sql.push_str(sql);
    }

    /// `sql`, in which `?` stands for the value, must hold too, if there is a value.
    pub(crate) fn when(&mut self, sql: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.always(sql, [value.into()]);
        }
    }

    /// `sql`, in which each `?` stands for the next value, must hold too.
    pub(crate) fn always(&mut self, sql: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() { "" } else { " AND " });
        let (mut parts, mut values) = (sql.split('?'), values.into_iter());
        self.sql.push_str(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(values.by_ref()) {
            self.values.push(value);
            // Writing to a text cannot fail.
            let _ = write!(self.sql, "${}{part}", self.values.len());
        }
    }

    /// The statement `before WHERE … after`.
    pub(crate) fn into_list(self, before: &str, after: &str) -> List {
        let holds = if self.sql.is_empty() { "TRUE" } else { &self.sql };
        List { sql: format!("{before} WHERE {holds} {after}").into(), values: self.values }
    }
}

/// A statement that can be asked again.
pub(crate) struct List {
    sql: Arc<str>,
    values: Vec<Value>,
}

impl List {
    /// The statement. Its text is made of ours alone; what comes from outside is a value.
    pub(crate) fn statement(&self) -> Statement<'_> {
        let sql = AssertSqlSafe(Arc::clone(&self.sql)).into_sql_str();
        self.values.iter().fold(sqlx::query(sql), |statement, value| match value {
            Value::Text(text) => statement.bind(text),
            Value::Texts(texts) => statement.bind(texts),
            Value::Number(number) => statement.bind(number),
            Value::Bytes(bytes) => statement.bind(bytes),
            Value::Flag(flag) => statement.bind(flag),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_and_never_part_of_the_text() {
        let mut all = Conditions::default();
        all.hold("a IS NULL");
        all.when("b = ?", Some("x' OR TRUE --"));
        all.when("c = ?", None::<i64>);
        all.always("(d, e) < (?, ?)", [Value::Number(1), Value::Flag(true)]);
        let list = all.into_list("SELECT 1 FROM t", "LIMIT 2");
        let expected = "SELECT 1 FROM t WHERE a IS NULL AND b = $1 AND (d, e) < ($2, $3) LIMIT 2";
        assert_eq!((&*list.sql, list.values.len()), (expected, 3));
        assert_eq!(&*Conditions::default().into_list("A", "B").sql, "A WHERE TRUE B");
    }
}
