//! Tables as plain rows.

use handstamp_core::transfer::{
    BATCHES, Column, EVENTS, Kind, LEDGER, MARK, Range, Row, SESSIONS, Table, TransferError, Value,
};
use serde::Deserialize;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::link::{Link, Statement, Transaction};
use crate::rows::Columns;

/// The names of `columns`, separated by commas.
pub(super) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// The values of `columns`, from where `row` is.
pub(super) fn read(row: &mut Columns<'_>, columns: &[Column]) -> Result<Row, Fault> {
    let value = |column: &Column| {
        let name = column.name;
        Ok(match column.kind {
            Kind::Number => row.next::<Option<i64>>(name)?.map(Value::Number),
            Kind::Small => {
                row.next::<Option<i16>>(name)?.map(|number| Value::Number(number.into()))
            }
            Kind::Flag => row.next::<Option<bool>>(name)?.map(|flag| Value::Number(flag.into())),
            Kind::Text => row.next::<Option<String>>(name)?.map(Value::Text),
            Kind::Bytes => row.next::<Option<Vec<u8>>>(name)?.map(Value::Bytes),
        }
        .unwrap_or(Value::Null))
    };
    columns.iter().map(value).collect()
}

/// The rows of `table` in `range`, in the order of their keys.
pub(super) async fn list(link: &Link, table: &Table, range: &Range) -> Result<Vec<Row>, Fault> {
    let key = names(&table.columns[..table.key]);
    let marks = |from: usize| {
        (from..from + table.key).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
    };
    let (list, name) = (names(table.columns), table.name);
    let mut sql = format!("SELECT {list} FROM handstamp.{name} WHERE TRUE");
    let mut next = 1;
    for (bound, sign) in [(&range.after, ">"), (&range.through, "<=")] {
        if bound.is_some() {
            sql.push_str(&format!(" AND ({key}) {sign} ({})", marks(next)));
            next += table.key;
        }
    }
    if table.name == LEDGER.name {
        sql.push_str(&format!(" AND NOT (shelf = '{}' AND key = '{}')", MARK.0, MARK.1));
    }
    sql.push_str(&format!(" ORDER BY {key}"));
    if let Some(limit) = range.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    let statement = || {
        let bounds = range.after.iter().chain(&range.through).flatten();
        bounds.fold(sqlx::query(AssertSqlSafe(sql.clone())), bind_one)
    };
    let rows = link.rows(statement).await?;
    rows.iter().map(|row| read(&mut Columns::of(row), table.columns)).collect()
}

fn bind_one<'q>(statement: Statement<'q>, value: &'q Value) -> Statement<'q> {
    match value {
        Value::Null => statement.bind(None::<i64>),
        Value::Number(number) => statement.bind(*number),
        Value::Text(text) => statement.bind(text.as_str()),
        Value::Bytes(bytes) => statement.bind(bytes.as_slice()),
    }
}

/// Refuses what no text of PostgreSQL can hold.
pub(super) fn check(table: &Table, rows: &[Row]) -> Result<(), TransferError> {
    let is_unfit = |row: &&Row| {
        row.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0')))
    };
    match rows.iter().find(is_unfit) {
        None => Ok(()),
        Some(row) => Err(TransferError::Unfit { row: table.told(row), why: "a text with a NUL" }),
    }
}

/// The arrays of `columns` as `unnest` takes them, the first being number `from`.
fn arrays(columns: &[Column], from: usize) -> String {
    let array = |(at, column): (usize, &Column)| {
        let kind = match column.kind {
            Kind::Number => "BIGINT",
            Kind::Small => "SMALLINT",
            Kind::Flag => "BOOLEAN",
            Kind::Text => "TEXT",
            Kind::Bytes => "BYTEA",
        };
        format!("${}::{kind}[]", from + at)
    };
    columns.iter().enumerate().map(array).collect::<Vec<_>>().join(", ")
}

/// A statement with the values of `rows`, an array for each of `columns`.
fn bind_all<'q>(statement: Statement<'q>, columns: &[Column], rows: &[&'q Row]) -> Statement<'q> {
    columns.iter().enumerate().fold(statement, |statement, (at, column)| {
        let values = rows.iter().map(|row| row.get(at).unwrap_or(&Value::Null));
        match column.kind {
            Kind::Number => statement.bind(values.map(number).collect::<Vec<_>>()),
            Kind::Small => {
                let small = |value: &Value| number(value).and_then(|it| i16::try_from(it).ok());
                statement.bind(values.map(small).collect::<Vec<_>>())
            }
            Kind::Flag => {
                let flag = |value: &Value| number(value).map(|it| it != 0);
                statement.bind(values.map(flag).collect::<Vec<_>>())
            }
            Kind::Text => statement.bind(values.map(text).collect::<Vec<_>>()),
            Kind::Bytes => {
                let bytes = |value: &'q Value| match value {
                    Value::Bytes(bytes) => Some(bytes.as_slice()),
                    _ => None,
                };
                statement.bind(values.map(bytes).collect::<Vec<_>>())
            }
        }
    })
}

const fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// What columns of this store alone hold that others keep within a text.
#[derive(Deserialize, Default)]
struct Within {
    #[serde(default)]
    suspended: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    ip: Option<String>,
}

fn within(row: &Row, table: &Table, column: &str) -> Within {
    let at = table.columns.iter().position(|it| it.name == column);
    let json = at.and_then(|at| row.get(at)).and_then(text).unwrap_or_default();
    serde_json::from_str(json).unwrap_or_default()
}

/// Stores `rows`.
pub(super) async fn put(
    transaction: &mut Transaction,
    table: &Table,
    rows: &[Row],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let (key, rest) = table.columns.split_at(table.key);
    let mut set: Vec<String> =
        rest.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect();
    let next = table.columns.len() + 1;
    let (mut own, mut values, mut condition) = (String::new(), arrays(table.columns, 1), "");
    match table.name {
        "sessions" => {
            own.push_str(", is_suspended");
            values.push_str(&format!(", ${next}::BOOLEAN[]"));
            set.push("is_suspended = excluded.is_suspended".into());
        }
        "heads" => {
            own.push_str(", stamp");
            values.push_str(&format!(", ${next}::BIGINT[]"));
            set.push("stamp = old.stamp + 1".into());
        }
        // One that began since its table was read comes with the next pass.
        "bindings" => {
            condition = " WHERE EXISTS (SELECT 1 FROM handstamp.sessions s WHERE s.id = line.a)";
        }
        _ => {}
    }
    let alias = if table.name == "bindings" { "line (a, b, c)" } else { "line" };
    let sql = format!(
        "INSERT INTO handstamp.{} AS old ({}{own}) SELECT * FROM unnest({values}) AS {alias}{condition}
         ON CONFLICT ({}) DO UPDATE SET {}",
        table.name,
        names(table.columns),
        names(key),
        set.join(", ")
    );
    let all: Vec<&Row> = rows.iter().collect();
    let statement = bind_all(sqlx::query(AssertSqlSafe(sql)), table.columns, &all);
    let statement = match table.name {
        "sessions" => {
            let of = |row: &Row| within(row, &SESSIONS, "body").suspended.is_some();
            statement.bind(rows.iter().map(of).collect::<Vec<_>>())
        }
        "heads" => statement.bind(vec![1_i64; rows.len()]),
        _ => statement,
    };
    transaction.run(statement).await?;
    Ok(())
}

/// Removes the rows of these keys.
pub(super) async fn remove(
    transaction: &mut Transaction,
    table: &Table,
    keys: &[Row],
) -> Result<(), Fault> {
    if keys.is_empty() {
        return Ok(());
    }
    let columns = &table.columns[..table.key];
    let sql = format!(
        "DELETE FROM handstamp.{} WHERE ({}) IN (SELECT * FROM unnest({}))",
        table.name,
        names(columns),
        arrays(columns, 1)
    );
    let all: Vec<&Row> = keys.iter().collect();
    transaction.run(bind_all(sqlx::query(AssertSqlSafe(sql)), columns, &all)).await?;
    Ok(())
}

/// Adds events at the end of the log, in this order.
pub(super) async fn add_events(
    transaction: &mut Transaction,
    events: &[&Row],
) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO handstamp.events (place, {}, ip)
         SELECT nextval('handstamp.places'), line.* FROM unnest({}, ${}::TEXT[]) AS line",
        names(EVENTS.columns),
        arrays(EVENTS.columns, 1),
        EVENTS.columns.len() + 1
    );
    transaction.run(bind_events(sql, events)).await?;
    Ok(())
}

fn bind_events<'q>(sql: String, events: &[&'q Row]) -> Statement<'q> {
    let ips: Vec<_> = events.iter().map(|row| within(row, &EVENTS, "personal").ip).collect();
    bind_all(sqlx::query(AssertSqlSafe(sql)), EVENTS.columns, events).bind(ips)
}

/// Makes events what they are in `events`.
pub(super) async fn mend_events(
    transaction: &mut Transaction,
    events: &[&Row],
) -> Result<(), Fault> {
    let set =
        EVENTS.columns.iter().filter(|column| !matches!(column.name, "writer" | "number" | "at"));
    let set: Vec<_> = set.map(|column| format!("{0} = line.{0}", column.name)).collect();
    let sql = format!(
        "UPDATE handstamp.events e SET {}, ip = line.ip
         FROM unnest({}, ${}::TEXT[]) AS line ({}, ip)
         WHERE e.writer = line.writer AND e.number = line.number AND e.at = line.at",
        set.join(", "),
        arrays(EVENTS.columns, 1),
        EVENTS.columns.len() + 1,
        names(EVENTS.columns)
    );
    transaction.run(bind_events(sql, events)).await?;
    Ok(())
}

/// Adds batches, or makes them what they are in `batches`.
pub(super) async fn put_batches(
    transaction: &mut Transaction,
    batches: &[&Row],
) -> Result<(), Fault> {
    let set = BATCHES.columns.iter().skip(BATCHES.key);
    let set: Vec<_> = set.map(|column| format!("{0} = excluded.{0}", column.name)).collect();
    let sql = format!(
        "INSERT INTO handstamp.batches ({}) SELECT * FROM unnest({})
         ON CONFLICT (writer, number) DO UPDATE SET {}",
        names(BATCHES.columns),
        arrays(BATCHES.columns, 1),
        set.join(", ")
    );
    transaction.run(bind_all(sqlx::query(AssertSqlSafe(sql)), BATCHES.columns, batches)).await?;
    Ok(())
}

/// The row of a batch.
pub(super) fn read_batch(row: &PgRow) -> Result<Row, Fault> {
    read(&mut Columns::of(row), BATCHES.columns)
}
