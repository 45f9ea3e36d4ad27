//! Records as rows, and back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::data::Data;
use handstamp_core::id::{ChangeId, SessionId, Subject};
use handstamp_core::record::{
    Assurance, Body, Client, EndReason, Ended, Kind, Lineage, Profile, Record, Transport,
};
use handstamp_core::roles::Roles;
use handstamp_core::time::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Row, params};

use crate::fault::Fault;

/// The columns of a record, as [`read`] expects them.
pub(crate) const COLUMNS: &str = "id, version, change_id, subject, epoch, deployment_epoch, kind, \
    transport, roles, created_at, authenticated_at, last_seen, absolute_expiry, idle_ms, ip, \
    user_agent, device, location, label, is_remembered, ended_at, body, data";

const INSERT: &str = "INSERT INTO sessions (id, version, change_id, epoch, deployment_epoch, kind, \
    transport, roles, authenticated_at, last_seen, absolute_expiry, idle_ms, due_at, ip, \
    user_agent, device, country, location, label, is_remembered, ended_at, ended_reason, body, \
    data, subject, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
    ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";

/// Subject and beginning never change, so their indexes need no work.
const REPLACE: &str = "UPDATE sessions SET version = ?2, change_id = ?3, epoch = ?4, \
    deployment_epoch = ?5, kind = ?6, transport = ?7, roles = ?8, authenticated_at = ?9, \
    last_seen = ?10, absolute_expiry = ?11, idle_ms = ?12, due_at = ?13, ip = ?14, \
    user_agent = ?15, device = ?16, country = ?17, location = ?18, label = ?19, \
    is_remembered = ?20, ended_at = ?21, ended_reason = ?22, body = ?23, data = ?24 \
    WHERE id = ?1 AND subject IS ?25 AND created_at = ?26";

/// What [`read_stamps`] expects.
const STAMPS: &str = "SELECT version, subject, epoch, deployment_epoch, created_at, last_seen, \
    ended_at FROM sessions WHERE id = ?1";

/// More than any sane session holds, and far below what SQLite takes.
const MOST_TEXT: usize = 16 * 1024 * 1024;

/// The parts of a record that are text in the database, written before the record is queued so
/// that the writer need not.
#[derive(Debug)]
pub(crate) struct Texts {
    roles: String,
    idle_ms: Option<i64>,
    ip: Option<String>,
    location: Option<String>,
    body: String,
    data: Option<String>,
}

impl Texts {
    /// The texts of `record`, or why it cannot be stored.
    pub(crate) fn of(record: &Record) -> Result<Self, Fault> {
        let unfit = |_| Fault::Unfit("not JSON");
        let location = record.client.location.as_deref().map(serde_json::to_string);
        let data = (!record.data.is_empty()).then(|| serde_json::to_string(&record.data));
        let texts = Self {
            roles: join(&record.roles),
            idle_ms: record.idle_lifetime.map(milliseconds).transpose()?,
            ip: record.client.ip.map(|ip| ip.to_string()),
            location: location.transpose().map_err(unfit)?,
            body: Body::to_json(record).map_err(|_| Fault::Unfit("not JSON"))?,
            data: data.transpose().map_err(unfit)?,
        };
        texts.fits(record)
    }

    fn fits(self, record: &Record) -> Result<Self, Fault> {
        let plain = [&record.client.user_agent, &record.client.device, &record.label];
        let plain: usize = plain.into_iter().flatten().map(|text| text.len()).sum();
        let long = [self.data.as_ref(), self.location.as_ref()];
        let long: usize = long.into_iter().flatten().map(String::len).sum();
        let fits = plain + long + self.body.len() <= MOST_TEXT;
        if fits { Ok(self) } else { Err(Fault::Unfit("longer than 16 MiB")) }
    }
}

/// Sorted names hold no commas, so a text of them can be searched.
pub(crate) fn join(roles: &Roles) -> String {
    let names: Vec<&str> = roles.iter().collect();
    names.join(",")
}

/// The roles that [`join`] wrote.
pub(crate) fn split(text: &str) -> Result<Roles, Fault> {
    Roles::new(text.split(',').filter(|name| !name.is_empty())).map_err(|_| Fault::Stored("roles"))
}

/// `count` as SQLite keeps it.
pub(crate) fn signed(count: u64) -> Result<i64, Fault> {
    i64::try_from(count).map_err(|_| Fault::Unfit("a number beyond 63 bits"))
}

fn milliseconds(span: Duration) -> Result<i64, Fault> {
    let millis = i64::try_from(span.as_millis()).ok();
    let exact = millis.filter(|_| span.subsec_nanos().is_multiple_of(1_000_000));
    exact.ok_or(Fault::Unfit("an idle lifetime is whole milliseconds"))
}

/// How a record is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Write {
    /// It is new.
    Insert,
    /// It is there.
    Replace,
}

/// Writes `record`, whose texts are `texts`.
pub(crate) fn write(
    connection: &Connection,
    how: Write,
    record: &Record,
    texts: &Texts,
) -> Result<(), Fault> {
    let sql = if how == Write::Insert { INSERT } else { REPLACE };
    let client = &record.client;
    let ended = record.ended.as_ref();
    let country = client.location.as_ref().and_then(|place| place.country.as_deref());
    let written = connection.prepare_cached(sql)?.execute(params![
        record.id.as_bytes(),
        signed(record.version)?,
        record.change_id.as_bytes(),
        signed(record.epoch)?,
        signed(record.deployment_epoch)?,
        record.kind.as_str(),
        record.transport.as_str(),
        texts.roles,
        record.authenticated_at.as_millis(),
        record.last_seen.as_millis(),
        record.absolute_expiry.as_millis(),
        texts.idle_ms,
        record.due_at().as_millis(),
        texts.ip,
        client.user_agent.as_deref(),
        client.device.as_deref(),
        country,
        texts.location,
        record.label.as_deref(),
        record.is_remembered,
        ended.map(|ended| ended.at.as_millis()),
        ended.map(|ended| ended.reason.as_str()),
        texts.body,
        texts.data,
        record.subject.as_ref().map(Subject::as_str),
        record.created_at.as_millis(),
    ])?;
    if written == 1 { Ok(()) } else { Err(Fault::Stored("id")) }
}

/// The record under `id`.
pub(crate) fn find(connection: &Connection, id: SessionId) -> Result<Option<Record>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

/// Of the record under `id`, only what a change is decided by; all else is blank.
pub(crate) fn find_stamps(connection: &Connection, id: SessionId) -> Result<Option<Record>, Fault> {
    let mut statement = connection.prepare_cached(STAMPS)?;
    let mut rows = statement.query([id.as_bytes()])?;
    rows.next()?.map(|row| read_stamps(id, row)).transpose()
}

fn read_stamps(id: SessionId, row: &Row<'_>) -> Result<Record, Fault> {
    let mut columns = Columns { row, at: 0 };
    let mut record = blank(id);
    record.version = columns.count("version")?;
    record.subject = columns.subject()?;
    record.epoch = columns.count("epoch")?;
    record.deployment_epoch = columns.count("deployment_epoch")?;
    record.created_at = columns.time("created_at")?;
    record.last_seen = columns.time("last_seen")?;
    let ended: Option<i64> = columns.next("ended_at")?;
    record.ended = ended.map(|at| Ended {
        at: Timestamp::from_millis(at),
        reason: EndReason::Admin,
        by: None,
        successor: None,
    });
    Ok(record)
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> Result<Record, Fault> {
    let mut columns = Columns { row, at: 0 };
    let mut record = blank(SessionId::from_bytes(columns.next("id")?));
    record.version = columns.count("version")?;
    record.change_id = ChangeId::from_bytes(columns.next("change_id")?);
    record.subject = columns.subject()?;
    record.epoch = columns.count("epoch")?;
    record.deployment_epoch = columns.count("deployment_epoch")?;
    record.kind = columns.named("kind", &KINDS, Kind::as_str)?;
    record.transport = columns.named("transport", &TRANSPORTS, Transport::as_str)?;
    record.roles = split(columns.str("roles")?)?;
    record.created_at = columns.time("created_at")?;
    record.authenticated_at = columns.time("authenticated_at")?;
    record.last_seen = columns.time("last_seen")?;
    record.absolute_expiry = columns.time("absolute_expiry")?;
    record.idle_lifetime = columns.idle()?;
    record.client = columns.client()?;
    record.label = columns.next("label")?;
    record.is_remembered = columns.next("is_remembered")?;
    let ended_at: Option<i64> = columns.next("ended_at")?;
    Body::read_into(columns.str("body")?, &mut record).map_err(|_| Fault::Stored("body"))?;
    if let Some(data) = columns.optional_str("data")? {
        record.data = serde_json::from_str(data).map_err(|_| Fault::Stored("data"))?;
    }
    // Conditions look at the column, the engine at the body: they must say the same.
    let in_body = record.ended.as_ref().map(|ended| ended.at.as_millis());
    if in_body == ended_at { Ok(record) } else { Err(Fault::Stored("ended_at")) }
}

const KINDS: [Kind; 3] = [Kind::Anonymous, Kind::Guest, Kind::User];
const TRANSPORTS: [Transport; 2] = [Transport::Cookie, Transport::Token];

/// A row, read from left to right.
pub(crate) struct Columns<'a> {
    row: &'a Row<'a>,
    at: usize,
}

impl<'a> Columns<'a> {
    /// From the first column.
    pub(crate) const fn of(row: &'a Row<'a>) -> Self {
        Self { row, at: 0 }
    }

    /// The next column, whose name is `name`.
    pub(crate) fn next<T: FromSql>(&mut self, name: &'static str) -> Result<T, Fault> {
        let value = self.row.get(self.at).map_err(|_| Fault::Stored(name));
        self.at += 1;
        value
    }

    /// The next column, a text that is only looked at.
    pub(crate) fn str(&mut self, name: &'static str) -> Result<&'a str, Fault> {
        self.optional_str(name)?.ok_or(Fault::Stored(name))
    }

    /// The next column, a text that is only looked at, or nothing.
    pub(crate) fn optional_str(&mut self, name: &'static str) -> Result<Option<&'a str>, Fault> {
        let value = self.row.get_ref(self.at).map_err(|_| Fault::Stored(name))?;
        self.at += 1;
        value.as_str_or_null().map_err(|_| Fault::Stored(name))
    }

    /// The next column, a number that is never negative.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<u64, Fault> {
        u64::try_from(self.next::<i64>(name)?).map_err(|_| Fault::Stored(name))
    }

    /// The next column, a point in time.
    pub(crate) fn time(&mut self, name: &'static str) -> Result<Timestamp, Fault> {
        self.next(name).map(Timestamp::from_millis)
    }

    /// The next column, `subject`.
    pub(crate) fn subject(&mut self) -> Result<Option<Subject>, Fault> {
        let subject = self.optional_str("subject")?.map(Subject::new);
        subject.transpose().map_err(|_| Fault::Stored("subject"))
    }

    fn named<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        name_of: impl Fn(T) -> &'static str,
    ) -> Result<T, Fault> {
        let text = self.str(name)?;
        all.iter().copied().find(|one| name_of(*one) == text).ok_or(Fault::Stored(name))
    }

    fn idle(&mut self) -> Result<Option<Duration>, Fault> {
        let millis: Option<i64> = self.next("idle_ms")?;
        let millis = millis.map(u64::try_from).transpose().map_err(|_| Fault::Stored("idle_ms"))?;
        Ok(millis.map(Duration::from_millis))
    }

    fn client(&mut self) -> Result<Client, Fault> {
        let ip = self.optional_str("ip")?.map(str::parse::<IpAddr>).transpose();
        let user_agent: Option<Arc<str>> = self.next("user_agent")?;
        let device: Option<Arc<str>> = self.next("device")?;
        let location = self.optional_str("location")?.map(serde_json::from_str).transpose();
        Ok(Client {
            ip: ip.map_err(|_| Fault::Stored("ip"))?,
            user_agent,
            device,
            location: location.map_err(|_| Fault::Stored("location"))?,
            fingerprint: None,
        })
    }
}

/// A record of which nothing but the id is known.
fn blank(id: SessionId) -> Record {
    let start = Timestamp::default();
    Record {
        id,
        version: 0,
        change_id: ChangeId::from_bytes([0; 16]),
        subject: None,
        epoch: 0,
        deployment_epoch: 0,
        kind: Kind::Anonymous,
        transport: Transport::Cookie,
        roles: Roles::none(),
        created_at: start,
        authenticated_at: start,
        last_seen: start,
        absolute_expiry: start,
        idle_lifetime: None,
        lineage: no_lineage(),
        amr: Vec::new(),
        assurance: Assurance::default(),
        client: Client::default(),
        profile: Profile::default(),
        label: None,
        audience: Vec::new(),
        client_id: None,
        is_remembered: false,
        suspended: None,
        data: Data::default(),
        flash: Vec::new(),
        csrf_seed: [0; 16],
        ended: None,
    }
}

fn no_lineage() -> Lineage {
    Lineage {
        salt: [0; 16],
        generation: 0,
        key_id: 0,
        previous_key_id: 0,
        rotated_at: Timestamp::default(),
        is_seen: false,
        seen_at: Timestamp::default(),
        privilege_generation: 0,
        privilege_at: Timestamp::default(),
        attempt: None,
        retries: 0,
    }
}
