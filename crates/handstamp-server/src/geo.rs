//! Where an address is, by a file that the operator brings along.
//!
//! Handstamp contains no such file and fetches none. Without one every place is blank, and the
//! risk rules that ask for places say nothing.

mod point;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handstamp_core::record::Location;
use handstamp_core::text::plain;
use maxminddb::{MaxMindDbError, Reader, geoip2};
pub use point::Point;

/// The longest name of a city or region that is kept, in bytes.
const MAX_NAME: usize = 128;

/// Places by address, out of a file in MaxMind's format (GeoLite2 City or Country, DB-IP City Lite
/// and others that are laid out alike). Clones share it.
///
/// The file is read once, into memory; a newer one is taken at the next start.
#[derive(Clone, Default)]
pub struct Geo(Option<Arc<Source>>);

struct Source {
    reader: Reader<Vec<u8>>,
    path: PathBuf,
    /// An entry that could not be read has been told of.
    has_warned: AtomicBool,
}

/// Where an address is, as far as the file knows.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// Country, region and city, as records and events keep them.
    pub location: Arc<Location>,
    /// Where on the globe; files of countries do not tell.
    pub point: Option<Point>,
}

/// The file of places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It is not there, or may not be read.
    #[error("the file of places {} cannot be read", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: MaxMindDbError,
    },
    /// It is not in MaxMind's format, or was cut off.
    #[error("{} is no file of places in MaxMind's format", path.display())]
    Garbled {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: MaxMindDbError,
    },
    /// It holds something else: networks, domains, carriers.
    #[error("{} holds `{kind}`: a file of cities or countries is asked for", path.display())]
    OtherKind {
        /// Which file.
        path: PathBuf,
        /// What it says that it holds.
        kind: String,
    },
}

impl Geo {
    /// No file: every place is blank.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Reads the file of places, if one is named, and says in the log what follows from it.
    ///
    /// # Errors
    /// [`GeoError`] when the file is not there, is not in MaxMind's format or holds something else
    /// than cities or countries. Retrying helps once the file is another.
    pub fn open(path: Option<&Path>) -> Result<Self, GeoError> {
        let Some(path) = path else {
            tracing::info!(
                "no file of places is named: locations stay blank, new_country and \
                 impossible_travel are off"
            );
            return Ok(Self::none());
        };
        let reader = read(path)?;
        let (kind, built) = (&reader.metadata().database_type, reader.metadata().build_epoch);
        tracing::info!(file = %path.display(), %kind, built, "places are looked up");
        Ok(Self::over(reader, path))
    }

    fn over(reader: Reader<Vec<u8>>, path: &Path) -> Self {
        let source = Source { reader, path: path.to_owned(), has_warned: AtomicBool::new(false) };
        Self(Some(Arc::new(source)))
    }

    /// Whether there is a file.
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Where `address` is; `None` for one of a private network, for one that the file does not
    /// know, and without a file.
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        let source = self.0.as_ref()?;
        let address = address.to_canonical();
        if is_private(address) {
            return None;
        }
        match source.entry(address) {
            Ok(entry) => entry.and_then(|entry| place_of(&entry)),
            Err(error) => {
                source.warn_once(&error);
                None
            }
        }
    }
}

impl Source {
    fn entry(&self, address: IpAddr) -> Result<Option<geoip2::City<'_>>, MaxMindDbError> {
        // A file of IPv4 alone knows nothing of IPv6, which is no fault.
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        self.reader.lookup(address)?.decode()
    }

    fn warn_once(&self, error: &MaxMindDbError) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(file = %self.path.display(), %error, "an entry cannot be read");
        }
    }
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Geo").field(&self.0.as_ref().map(|source| &source.path)).finish()
    }
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, GeoError> {
    let reader = Reader::open_readfile(path).map_err(|source| {
        let path = path.to_owned();
        match source {
            MaxMindDbError::Io(_) => GeoError::Missing { path, source },
            _ => GeoError::Garbled { path, source },
        }
    })?;
    let kind = reader.metadata().database_type.to_ascii_lowercase();
    if ["city", "country", "enterprise"].iter().any(|known| kind.contains(known)) {
        return Ok(reader);
    }
    let kind = plain(&reader.metadata().database_type, MAX_NAME).unwrap_or_default();
    Err(GeoError::OtherKind { path: path.to_owned(), kind })
}

fn place_of(entry: &geoip2::City<'_>) -> Option<Place> {
    let name = |text: Option<&str>| text.and_then(|text| plain(text, MAX_NAME)).map(Arc::from);
    let region = entry.subdivisions.first();
    let location = Location {
        country: entry.country.iso_code.filter(|code| is_country(code)).map(Arc::from),
        region: region.and_then(|region| name(region.names.english.or(region.iso_code))),
        city: name(entry.city.names.english),
    };
    let at = &entry.location;
    let point = at.latitude.zip(at.longitude).and_then(|(latitude, longitude)| {
        Point::new(latitude, longitude, at.accuracy_radius.map(f64::from))
    });
    let is_blank = location == Location::default() && point.is_none();
    (!is_blank).then(|| Place { location: Arc::new(location), point })
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether an address is of a network that has no place: one's own machine or house, or behind
/// the address translation of a carrier.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_carriers = v4 & Ipv4Addr::new(255, 192, 0, 0) == Ipv4Addr::new(100, 64, 0, 0);
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || is_carriers
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests;
