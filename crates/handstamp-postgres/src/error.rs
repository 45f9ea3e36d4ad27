//! What can go wrong when a store is opened.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use handstamp_core::transfer::Standing;

use crate::fault::Fault;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A store cannot be opened. Each variant says in one line what to do about it; none repeats a
/// password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The address is none of PostgreSQL's. Retrying never helps.
    #[error(
        "not an address of PostgreSQL; it looks like postgres://user:password@host:5432/database"
    )]
    Address(#[source] Source),
    /// Nobody answers there, or the server is starting. Retrying helps once it runs.
    #[error("PostgreSQL does not answer; check its address and that it runs")]
    Unreachable(#[source] Source),
    /// All connections are in use, of the pool or of the server. Retrying helps once some are free.
    #[error(
        "no connection to PostgreSQL is free; raise the pool's limit or the server's max_connections"
    )]
    Exhausted(#[source] Source),
    /// The connection cannot be encrypted as asked for, or the certificate is not accepted.
    #[error("the connection to PostgreSQL cannot be encrypted; check sslmode and sslrootcert")]
    Tls(#[source] Source),
    /// A file that the connection needs to be encrypted cannot be read. Retrying helps once it can.
    #[error("{setting} names {}, which cannot be read", path.display())]
    File {
        /// Which setting of the address, or of the environment, names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// User or password are wrong, or the server does not let this user in from here.
    #[error("PostgreSQL refuses this user or its password")]
    Refused(#[source] Source),
    /// There is no such database.
    #[error("there is no such database; create it first")]
    NoDatabase(#[source] Source),
    /// The user may not do what is needed.
    #[error(
        "the user of PostgreSQL lacks rights: it has to own the schema handstamp, or may create it"
    )]
    NotPermitted(#[source] Source),
    /// The server is a replica, or writes are switched off. Connect to the primary.
    #[error("PostgreSQL is read-only here; connect to the primary")]
    ReadOnly,
    /// The database cannot hold every text. Retrying never helps.
    #[error("the database is not in UTF8; create one with ENCODING 'UTF8'")]
    Encoding,
    /// The database was written by a newer version. Retrying never helps.
    #[error("the database has schema {found}, this version knows {known}; install a newer version")]
    NewerSchema {
        /// The schema of the database.
        found: u32,
        /// The newest schema that this version can use.
        known: u32,
    },
    /// The database was written by an older version, or is empty, and is only to be read. Retrying
    /// helps once the service of this version has been started on it, which brings it up.
    #[error("the database has schema {found}, this version needs {known}; start the service on it")]
    OlderSchema {
        /// The schema of the database; 0 where there is none.
        found: u32,
        /// The schema that is needed.
        known: u32,
    },
    /// Everything in it was taken to another store, from which everybody is served. Retrying never
    /// helps.
    #[error("the database was copied to another store and left; use that one")]
    Left,
    /// It is being filled from another store. Retrying helps once that has come to its end.
    #[error("the database is a copy that is not finished; run handstamp store copy with --finish")]
    Unfinished,
    /// Anything else.
    #[error("the store on PostgreSQL cannot be opened")]
    Other(#[source] Source),
}

impl From<Fault> for PostgresError {
    fn from(fault: Fault) -> Self {
        match fault.code().as_deref() {
            Some("28000" | "28P01") => return Self::Refused(Box::new(fault)),
            Some("3D000") => return Self::NoDatabase(Box::new(fault)),
            Some("42501") => return Self::NotPermitted(Box::new(fault)),
            Some("53300" | "53400") => return Self::Exhausted(Box::new(fault)),
            Some("25006") => return Self::ReadOnly,
            Some("57P01" | "57P02" | "57P03") => return Self::Unreachable(Box::new(fault)),
            _ => {}
        }
        match fault {
            Fault::Replica => Self::ReadOnly,
            Fault::NotServed(Standing::Left(_)) => Self::Left,
            Fault::NotServed(_) => Self::Unfinished,
            Fault::Late => Self::Unreachable(Box::new(fault)),
            Fault::Sql(error) => Self::of(error),
            Fault::Unreached(error) => match Arc::try_unwrap(error) {
                Ok(error) => Self::of(error),
                Err(shared) => Self::Unreachable(Box::new(shared)),
            },
            other => Self::Other(Box::new(other)),
        }
    }
}

impl PostgresError {
    fn of(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(source) => Self::Address(source),
            sqlx::Error::Tls(source) => Self::Tls(source),
            // What rustls says of a certificate comes as data that cannot be used.
            sqlx::Error::Io(source) if source.kind() == ErrorKind::InvalidData => {
                Self::Tls(Box::new(source))
            }
            sqlx::Error::Io(source) => Self::Unreachable(Box::new(source)),
            sqlx::Error::PoolTimedOut => Self::Exhausted(Box::new(error)),
            other => Self::Other(Box::new(other)),
        }
    }
}
