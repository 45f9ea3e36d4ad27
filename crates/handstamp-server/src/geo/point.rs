//! A point on the globe, and how far it is to another.

/// The mean radius of the earth, in kilometres.
const EARTH_KM: f64 = 6_371.0;

/// How far an address may be from its point where the file does not say, in kilometres.
const VAGUE_KM: f64 = 100.0;

/// A point on the globe, as exact as an address tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    latitude: f64,
    longitude: f64,
    accuracy_km: f64,
}

impl Point {
    /// The point at these degrees, which the truth is around within `accuracy_km` (100 where
    /// nobody says); `None` for degrees that are not on the globe.
    pub fn new(latitude: f64, longitude: f64, accuracy_km: Option<f64>) -> Option<Self> {
        let accuracy_km = accuracy_km.filter(|km| *km >= 0.0).unwrap_or(VAGUE_KM);
        let is_on_globe = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_globe.then_some(Self { latitude, longitude, accuracy_km })
    }

    /// How far it is to `other` along the surface, in kilometres.
    pub fn distance_km(&self, other: &Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let across = (other.longitude - self.longitude).to_radians();
        // The haversine formula: exact enough for near points, where the cosine rule is not.
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let chord = half(to - from) + from.cos() * to.cos() * half(across);
        2.0 * EARTH_KM * chord.clamp(0.0, 1.0).sqrt().asin()
    }

    /// How far it is to `other` at least, in kilometres: the distance less what both points may be
    /// off.
    pub fn least_km(&self, other: &Self) -> f64 {
        (self.distance_km(other) - self.accuracy_km - other.accuracy_km).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Point;

    fn point(latitude: f64, longitude: f64, accuracy_km: f64) -> Point {
        Point::new(latitude, longitude, Some(accuracy_km)).unwrap()
    }

    #[test]
    fn known_distances_are_right_to_half_a_percent() {
        let (paris, new_york) = (point(48.8566, 2.3522, 0.0), point(40.7128, -74.0060, 0.0));
        let (sydney, london) = (point(-33.8688, 151.2093, 0.0), point(51.5074, -0.1278, 0.0));
        for (from, to, km) in [
            (paris, new_york, 5_837.0),
            (sydney, london, 16_994.0),
            (paris, london, 343.6),
            (paris, paris, 0.0),
            (point(0.0, 179.9, 0.0), point(0.0, -179.9, 0.0), 22.24),
            (point(90.0, 0.0, 0.0), point(-90.0, 0.0, 0.0), 20_015.0),
        ] {
            let far = from.distance_km(&to);
            assert!((far - km).abs() <= km * 0.005, "{far} is not {km}");
            assert!((far - to.distance_km(&from)).abs() < 1e-6, "there is as far as back");
        }
    }

    #[test]
    fn what_the_points_may_be_off_counts_against_the_distance() {
        let (paris, lyon) = (point(48.8566, 2.3522, 100.0), point(45.764, 4.8357, 200.0));
        let far = paris.distance_km(&lyon);
        assert!((paris.least_km(&lyon) - (far - 300.0)).abs() < 1e-9);
        assert!(point(48.8, 2.3, 1_000.0).least_km(&lyon).abs() < 1e-9, "never less than nothing");
        let vague = Point::new(48.8566, 2.3522, None).unwrap();
        assert!((vague.least_km(&vague)).abs() < 1e-9);
    }

    #[test]
    fn degrees_off_the_globe_are_no_point() {
        for (latitude, longitude) in
            [(90.1, 0.0), (0.0, -180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
        {
            assert_eq!(Point::new(latitude, longitude, None), None);
        }
    }
}
