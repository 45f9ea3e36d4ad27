use std::error::Error;

use super::testing::{Value, city, file, places};
use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.mmdb");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn f11_an_address_has_country_region_city_and_a_point() {
    let place = places().place(ip("192.0.2.7")).unwrap();
    assert_eq!(place.location.country.as_deref(), Some("FR"));
    assert_eq!(place.location.region.as_deref(), Some("A region"));
    assert_eq!(place.location.city.as_deref(), Some("Paris"));
    assert_eq!(place.point, Point::new(48.8566, 2.3522, Some(20.0)));
    let lyon = places().place(ip("192.0.2.200")).unwrap();
    assert_eq!(lyon.location.city.as_deref(), Some("Lyon"));
}

#[test]
fn f11_both_kinds_of_address_are_looked_up_in_any_spelling() {
    let country = |text: &str| places().place(ip(text)).unwrap().location.country.clone().unwrap();
    assert_eq!(&*country("2001:db8::1"), "AU");
    assert_eq!(&*country("::ffff:198.51.100.9"), "US");
}

#[test]
fn f11_private_and_unknown_addresses_have_no_place() {
    let everywhere = || city("FR", "Everywhere", (1.0, 1.0, 1));
    let all = file("Test-City", vec![("::/1", everywhere()), ("8000::/1", everywhere())]);
    let all = Geo::over(Reader::from_source(all).unwrap(), Path::new("test.mmdb"));
    assert!(all.place(ip("9.9.9.9")).is_some() && all.place(ip("2a00::1")).is_some());
    for private in [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "::",
        "fd00::1",
        "fe80::1",
        "::ffff:192.168.1.1",
    ] {
        assert_eq!(all.place(ip(private)), None, "{private}");
    }
    assert_eq!(places().place(ip("9.9.9.9")), None);
    assert_eq!(places().place(ip("2a00::1")), None);
}

#[test]
fn f11_without_a_file_every_place_is_blank() {
    let geo = Geo::open(None).unwrap();
    assert!(!geo.is_known());
    assert_eq!(geo.place(ip("192.0.2.7")), None);
}

#[test]
fn a_file_is_read_from_its_path() {
    let bytes = file("GeoLite2-City", vec![("192.0.2.0/24", city("FR", "Paris", (48.9, 2.4, 20)))]);
    let (_folder, path) = written(&bytes);
    let geo = Geo::open(Some(&path)).unwrap();
    assert!(geo.is_known());
    assert_eq!(geo.place(ip("192.0.2.7")).unwrap().location.city.as_deref(), Some("Paris"));
}

#[test]
fn a_file_of_countries_tells_no_point() {
    let france = Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text("FR"))]))]);
    let (_folder, path) = written(&file("DBIP-Country-Lite", vec![("192.0.2.0/24", france)]));
    let place = Geo::open(Some(&path)).unwrap().place(ip("192.0.2.7")).unwrap();
    assert_eq!((place.location.country.as_deref(), place.point), (Some("FR"), None));
}

#[test]
fn a_file_that_is_not_there_garbled_or_of_another_kind_is_one_line_of_error() {
    let (folder, path) = written(b"not a file of places");
    let missing = Geo::open(Some(&folder.path().join("none.mmdb"))).unwrap_err();
    let garbled = Geo::open(Some(&path)).unwrap_err();
    let whole = file("GeoLite2-City", vec![("192.0.2.0/24", city("FR", "Paris", (48.9, 2.4, 20)))]);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = Geo::open(Some(&path)).unwrap_err();
    std::fs::write(&path, file("GeoLite2-ASN\n\u{1b}[31m", vec![])).unwrap();
    let other = Geo::open(Some(&path)).unwrap_err();
    assert!(matches!(missing, GeoError::Missing { .. }), "{missing:?}");
    assert!(matches!(garbled, GeoError::Garbled { .. }), "{garbled:?}");
    assert!(matches!(cut, GeoError::Garbled { .. }), "{cut:?}");
    assert!(matches!(other, GeoError::OtherKind { .. }), "{other:?}");
    for error in [missing, garbled, cut, other] {
        let line = error.to_string();
        assert!(
            line.contains(".mmdb") && !line.contains('\n') && !line.contains('\u{1b}'),
            "{line}"
        );
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(!why.contains('\n'), "{why}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_no_place_and_no_fault() {
    let odd = Value::Map(vec![("country", Value::Text("FR"))]);
    let named =
        Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text("France"))]))]);
    let bytes = file("Flat-Country", vec![("192.0.2.0/25", odd), ("192.0.2.128/25", named)]);
    let geo = Geo::over(Reader::from_source(bytes).unwrap(), Path::new("test.mmdb"));
    assert_eq!(geo.place(ip("192.0.2.7")), None);
    assert_eq!(geo.place(ip("192.0.2.8")), None);
    assert_eq!(geo.place(ip("192.0.2.200")), None, "no code of a country");
}

#[test]
fn names_in_the_file_are_cleaned_like_any_other_text() {
    let bytes =
        file("Test-City", vec![("192.0.2.0/24", city("FR", "Par\nis\u{202e}", (1.0, 1.0, 1)))]);
    let geo = Geo::over(Reader::from_source(bytes).unwrap(), Path::new("test.mmdb"));
    assert_eq!(geo.place(ip("192.0.2.7")).unwrap().location.city.as_deref(), Some("Paris"));
}
