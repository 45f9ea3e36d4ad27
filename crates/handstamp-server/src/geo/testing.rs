//! Writes small files of places, so that tests need none from elsewhere.
//!
//! The format (MaxMind DB 2.0) is three parts. A **search tree**: nodes of two records, one for
//! each value of the next bit of an address; a record is the number of a node, the number of nodes
//! (nothing is known), or points behind them, into the data. The **data**: values that begin with a
//! byte of type and length. After a marker, the **metadata**: one more value, a map.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Geo;

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// What lies between tree and data.
const GAP: [u8; 16] = [0; 16];

/// How deep in the tree of IPv6 the addresses of IPv4 begin.
const IPV4_DEPTH: u8 = 96;

/// A value of the data section.
pub(crate) enum Value {
    Text(&'static str),
    Double(f64),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => sized(2, text.as_bytes(), out),
            Self::Double(number) => sized(3, &number.to_be_bytes(), out),
            Self::U16(number) => sized(5, &number.to_be_bytes(), out),
            Self::U32(number) => sized(6, &number.to_be_bytes(), out),
            Self::U64(number) => sized(9, &number.to_be_bytes(), out),
            Self::Map(entries) => {
                head(7, entries.len(), out);
                for (key, value) in entries {
                    Self::Text(key).write(out);
                    value.write(out);
                }
            }
            Self::List(values) => {
                head(11, values.len(), out);
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

fn sized(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    head(kind, bytes.len(), out);
    out.extend(bytes);
}

/// Type and length: three bits and five; types above 7 and lengths above 28 take a byte more.
fn head(kind: u8, length: usize, out: &mut Vec<u8>) {
    let (short, rest) = if length < 29 { (length, None) } else { (29, Some(length - 29)) };
    let short = u8::try_from(short).unwrap();
    if kind > 7 {
        out.extend([short, kind - 7]);
    } else {
        out.push(kind << 5 | short);
    }
    out.extend(rest.map(|rest| u8::try_from(rest).unwrap()));
}

#[derive(Clone, Copy)]
enum Entry {
    Nothing,
    Node(u32),
    Data(u32),
}

/// The bytes of a file of `kind` that tells these values of these networks, none within another.
pub(crate) fn file(kind: &'static str, networks: Vec<(&str, Value)>) -> Vec<u8> {
    let (mut tree, mut data) = (vec![[Entry::Nothing; 2]], Vec::new());
    for (network, value) in networks {
        let at = u32::try_from(data.len()).unwrap();
        value.write(&mut data);
        insert(&mut tree, network.parse().unwrap(), Entry::Data(at));
    }
    let nodes = u32::try_from(tree.len()).unwrap();
    let mut bytes = Vec::new();
    for entry in tree.into_iter().flatten() {
        let record = match entry {
            Entry::Nothing => nodes,
            Entry::Node(node) => node,
            Entry::Data(at) => nodes + 16 + at,
        };
        bytes.extend(record.to_be_bytes());
    }
    bytes.extend(GAP);
    bytes.extend(data);
    bytes.extend(MARKER);
    metadata(kind, nodes).write(&mut bytes);
    bytes
}

fn insert(tree: &mut Vec<[Entry; 2]>, network: IpNet, entry: Entry) {
    let (bits, length) = match network.addr() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), network.prefix_len() + IPV4_DEPTH),
        IpAddr::V6(v6) => (u128::from(v6), network.prefix_len()),
    };
    let mut node = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            tree[node][side] = entry;
            return;
        }
        if let Entry::Node(next) = tree[node][side] {
            node = next as usize;
            continue;
        }
        tree[node][side] = Entry::Node(u32::try_from(tree.len()).unwrap());
        node = tree.len();
        tree.push([Entry::Nothing; 2]);
    }
}

fn metadata(kind: &'static str, nodes: u32) -> Value {
    Value::Map(vec![
        ("binary_format_major_version", Value::U16(2)),
        ("binary_format_minor_version", Value::U16(0)),
        ("build_epoch", Value::U64(1_700_000_000)),
        ("database_type", Value::Text(kind)),
        ("description", Value::Map(vec![("en", Value::Text("a file of a test"))])),
        ("ip_version", Value::U16(6)),
        ("languages", Value::List(vec![Value::Text("en")])),
        ("node_count", Value::U32(nodes)),
        ("record_size", Value::U16(32)),
    ])
}

/// An entry as files of cities have it: a country, a city in it, and where that is.
pub(crate) fn city(
    country: &'static str,
    name: &'static str,
    (latitude, longitude, accuracy_km): (f64, f64, u16),
) -> Value {
    let names = |name| Value::Map(vec![("names", Value::Map(vec![("en", Value::Text(name))]))]);
    Value::Map(vec![
        ("city", names(name)),
        ("country", Value::Map(vec![("iso_code", Value::Text(country))])),
        (
            "location",
            Value::Map(vec![
                ("accuracy_radius", Value::U16(accuracy_km)),
                ("latitude", Value::Double(latitude)),
                ("longitude", Value::Double(longitude)),
            ]),
        ),
        ("subdivisions", Value::List(vec![names("A region")])),
    ])
}

/// Places for tests: 192.0.2.0/25 is Paris, 192.0.2.128/25 Lyon, 198.51.100.0/24 New York,
/// 203.0.113.0/24 Berlin, 2001:db8::/32 Sydney.
pub(crate) fn places() -> Geo {
    let bytes = file(
        "Test-City",
        vec![
            ("192.0.2.0/25", city("FR", "Paris", (48.8566, 2.3522, 20))),
            ("192.0.2.128/25", city("FR", "Lyon", (45.764, 4.8357, 20))),
            ("198.51.100.0/24", city("US", "New York", (40.7128, -74.006, 20))),
            ("203.0.113.0/24", city("DE", "Berlin", (52.52, 13.405, 20))),
            ("2001:db8::/32", city("AU", "Sydney", (-33.8688, 151.2093, 50))),
        ],
    );
    Geo::over(maxminddb::Reader::from_source(bytes).unwrap(), std::path::Path::new("test.mmdb"))
}
