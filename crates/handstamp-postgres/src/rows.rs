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
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

use crate::fault::Fault;

/// The columns of a record in `s`, as [`read`] expects them.
macro_rules! columns {
    () => {
        "s.id, s.version, s.change_id, s.subject, s.epoch, s.deployment_epoch, s.kind, \
         s.transport, s.roles, s.created_at, s.authenticated_at, s.last_seen, s.absolute_expiry, \
         s.idle_ms, s.ip, s.user_agent, s.device, s.location, s.label, s.is_remembered, \
         s.ended_at, s.body, s.data"
    };
}
pub(crate) use columns;

/// More than any sane session holds, and far below what PostgreSQL takes.
const MOST_TEXT: usize = 16 * 1024 * 1024;

/// The parts of a record that are text in the database, written before anything is locked.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) roles: String,
    pub(crate) idle_ms: Option<i64>,
    pub(crate) ip: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
    pub(crate) data: Option<String>,
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
        let country = record.client.location.as_ref().and_then(|place| place.country.as_deref());
        let client = &record.client;
        let plain = [
            record.subject.as_ref().map(Subject::as_str),
            client.user_agent.as_deref(),
            client.device.as_deref(),
            record.label.as_deref(),
            country,
            Some(&*self.roles),
        ];
        let mut length = self.body.len();
        for text in plain.into_iter().flatten() {
            length += fit(text)?.len();
        }
        let long = [self.data.as_ref(), self.location.as_ref()];
        length += long.into_iter().flatten().map(String::len).sum::<usize>();
        if length <= MOST_TEXT { Ok(self) } else { Err(Fault::Unfit("longer than 16 MiB")) }
    }
}

/// A text that PostgreSQL can hold as it is: one without a NUL.
pub(crate) fn fit(text: &str) -> Result<&str, Fault> {
    if text.contains('\0') { Err(Fault::Unfit("a text with a NUL")) } else { Ok(text) }
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

/// `count` as PostgreSQL keeps it.
pub(crate) fn signed(count: u64) -> Result<i64, Fault> {
    i64::try_from(count).map_err(|_| Fault::Unfit("a number beyond 63 bits"))
}

fn milliseconds(span: Duration) -> Result<i64, Fault> {
    let millis = i64::try_from(span.as_millis()).ok();
    let exact = millis.filter(|_| span.subsec_nanos().is_multiple_of(1_000_000));
    exact.ok_or(Fault::Unfit("an idle lifetime is whole milliseconds"))
}

/// Reads [`columns`] from where `columns` is.
pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Record, Fault> {
    let mut record = blank(columns.id("id")?);
    record.version = columns.count("version")?;
    record.change_id = ChangeId::from_bytes(columns.bytes("change_id")?);
    record.subject = columns.subject()?;
    record.epoch = columns.count("epoch")?;
    record.deployment_epoch = columns.count("deployment_epoch")?;
    record.kind = columns.named("kind", &KINDS, Kind::as_str)?;
    record.transport = columns.named("transport", &TRANSPORTS, Transport::as_str)?;
    record.roles = split(columns.next("roles")?)?;
    record.created_at = columns.time("created_at")?;
    record.authenticated_at = columns.time("authenticated_at")?;
    record.last_seen = columns.time("last_seen")?;
    record.absolute_expiry = columns.time("absolute_expiry")?;
    record.idle_lifetime = columns.idle()?;
    record.client = columns.client()?;
    record.label = columns.text("label")?;
    record.is_remembered = columns.next("is_remembered")?;
    let ended_at: Option<i64> = columns.next("ended_at")?;
    Body::read_into(columns.next("body")?, &mut record).map_err(|_| Fault::Stored("body"))?;
    if let Some(data) = columns.next::<Option<&str>>("data")? {
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
    row: &'a PgRow,
    at: usize,
}

impl<'a> Columns<'a> {
    /// From the first column.
    pub(crate) const fn of(row: &'a PgRow) -> Self {
        Self { row, at: 0 }
    }

    /// Leaves out `count` columns.
    pub(crate) const fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// The next column, whose name is `name`.
    pub(crate) fn next<T>(&mut self, name: &'static str) -> Result<T, Fault>
    where
        T: Decode<'a, Postgres> + Type<Postgres>,
    {
        let value = self.row.try_get(self.at).map_err(|_| Fault::Stored(name));
        self.at += 1;
        value
    }

    /// The next column, a text or nothing.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<Arc<str>>, Fault> {
        Ok(self.next::<Option<&str>>(name)?.map(Into::into))
    }

    /// The next column, so many bytes.
    pub(crate) fn bytes<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Fault> {
        self.next::<&[u8]>(name)?.try_into().map_err(|_| Fault::Stored(name))
    }

    /// The next column, the id of a session.
    pub(crate) fn id(&mut self, name: &'static str) -> Result<SessionId, Fault> {
        self.bytes(name).map(SessionId::from_bytes)
    }

    /// The next column, a number that is never negative.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<u64, Fault> {
        u64::try_from(self.next::<i64>(name)?).map_err(|_| Fault::Stored(name))
    }

    /// The next column, a writer.
    pub(crate) fn writer(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.next::<i64>("writer")?).map_err(|_| Fault::Stored("writer"))
    }

    /// The next column, a small number that is never negative.
    pub(crate) fn key_id(&mut self) -> Result<u8, Fault> {
        u8::try_from(self.next::<i16>("key_id")?).map_err(|_| Fault::Stored("key_id"))
    }

    /// The next column, a point in time.
    pub(crate) fn time(&mut self, name: &'static str) -> Result<Timestamp, Fault> {
        self.next(name).map(Timestamp::from_millis)
    }

    /// The next column, `subject`.
    pub(crate) fn subject(&mut self) -> Result<Option<Subject>, Fault> {
        let subject = self.next::<Option<&str>>("subject")?.map(Subject::new);
        subject.transpose().map_err(|_| Fault::Stored("subject"))
    }

    fn named<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        name_of: impl Fn(T) -> &'static str,
    ) -> Result<T, Fault> {
        let text: &str = self.next(name)?;
        all.iter().copied().find(|one| name_of(*one) == text).ok_or(Fault::Stored(name))
    }

    fn idle(&mut self) -> Result<Option<Duration>, Fault> {
        let millis: Option<i64> = self.next("idle_ms")?;
        let millis = millis.map(u64::try_from).transpose().map_err(|_| Fault::Stored("idle_ms"))?;
        Ok(millis.map(Duration::from_millis))
    }

    fn client(&mut self) -> Result<Client, Fault> {
        let ip = self.next::<Option<&str>>("ip")?.map(str::parse::<IpAddr>).transpose();
        let (user_agent, device) = (self.text("user_agent")?, self.text("device")?);
        let location = self.next::<Option<&str>>("location")?.map(serde_json::from_str);
        Ok(Client {
            ip: ip.map_err(|_| Fault::Stored("ip"))?,
            user_agent,
            device,
            location: location.transpose().map_err(|_| Fault::Stored("location"))?,
            fingerprint: None,
        })
    }
}

/// What a change is decided by, of a record that ended or did not; all else is blank.
pub(crate) fn end_of(at: i64) -> Ended {
    let at = Timestamp::from_millis(at);
    Ended { at, reason: EndReason::Admin, by: None, successor: None }
}

/// A record of which nothing but the id is known.
pub(crate) fn blank(id: SessionId) -> Record {
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
