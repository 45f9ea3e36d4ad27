//! Tables as plain rows.

use handstamp_core::transfer::{Column, LEDGER, MARK, Range, Row, Table, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::fault::Fault;

/// A value on its way into the database.
pub(super) struct Given<'a>(pub(super) &'a Value);

impl ToSql for Given<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// The names of `columns`, separated by commas.
pub(super) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// The first `count` columns of a row.
pub(super) fn read(row: &rusqlite::Row<'_>, count: usize) -> Result<Row, Fault> {
    let value = |at| {
        Ok(match row.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Number(number),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|_| Fault::Stored("text"))?;
                Value::Text(text.to_owned())
            }
            ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => return Err(Fault::Stored("number")),
        })
    };
    (0..count).map(value).collect()
}

/// The rows of `table` in `range`, in the order of their keys.
pub(super) fn list(
    connection: &Connection,
    table: &Table,
    range: &Range,
) -> Result<Vec<Row>, Fault> {
    let (key, marks) = (names(&table.columns[..table.key]), marks(table.key));
    let mut sql = format!("SELECT {} FROM {} WHERE TRUE", names(table.columns), table.name);
    if range.after.is_some() {
        sql.push_str(&format!(" AND ({key}) > ({marks})"));
    }
    if range.through.is_some() {
        sql.push_str(&format!(" AND ({key}) <= ({marks})"));
    }
    if table.name == LEDGER.name {
        sql.push_str(&format!(" AND NOT (shelf = '{}' AND key = '{}')", MARK.0, MARK.1));
    }
    sql.push_str(&format!(" ORDER BY {key}"));
    if let Some(limit) = range.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let values = range.after.iter().chain(&range.through).flatten().map(Given);
    let mut found = statement.query(params_from_iter(values))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read(row, table.columns.len())?);
    }
    Ok(rows)
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Columns of this store alone, and what stands in them of a row that is new.
fn own(table: &Table) -> (&'static str, &'static str) {
    match table.name {
        // Set when the filling ends.
        "cuts" => (", place, until_at", ", 0, 0"),
        _ => ("", ""),
    }
}

/// Stores `rows`.
pub(super) fn put(connection: &Connection, table: &Table, rows: &[Row]) -> Result<(), Fault> {
    let (key, rest) = table.columns.split_at(table.key);
    let set: Vec<String> =
        rest.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect();
    let (own_names, own_values) = own(table);
    let sql = format!(
        "INSERT INTO {} ({}{own_names}) VALUES ({}{own_values}) ON CONFLICT ({}) DO UPDATE SET {}",
        table.name,
        names(table.columns),
        marks(table.columns.len()),
        names(key),
        set.join(", ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for row in rows {
        statement.execute(params_from_iter(row.iter().map(Given)))?;
    }
    Ok(())
}

/// Removes the rows of these keys.
pub(super) fn remove(connection: &Connection, table: &Table, keys: &[Row]) -> Result<(), Fault> {
    let (key, marks) = (names(&table.columns[..table.key]), marks(table.key));
    let sql = format!("DELETE FROM {} WHERE ({key}) = ({marks})", table.name);
    let mut statement = connection.prepare_cached(&sql)?;
    for key in keys {
        statement.execute(params_from_iter(key.iter().map(Given)))?;
    }
    Ok(())
}
