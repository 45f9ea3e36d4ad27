//! How long sessions lasted, in classes that a few rows can hold.

use std::time::Duration;

/// The fourth roots of two, in thousandths: classes in which a length doubles.
const STEPS: [u64; 4] = [1000, 1189, 1414, 1682];

/// The last class, in which all that is longer lies: about 500 million years.
const LAST: u32 = 216;

/// The class of a length of `millis`, a fifth wide; 0 for what is shorter than a second.
pub(super) fn class_of(millis: u64) -> u32 {
    let classes = (1..=LAST).take_while(|class| start_of(*class) <= millis);
    classes.last().unwrap_or(0)
}

/// The shortest length of a class, in milliseconds.
const fn start_of(class: u32) -> u64 {
    match class.checked_sub(1) {
        Some(after) => STEPS[(after % 4) as usize].saturating_mul(1 << (after / 4)),
        None => 0,
    }
}

/// The length below which `percent` of all lengths lie, by the number of lengths in each class, in
/// order; as far as the classes tell. `None` where there are no lengths.
pub(super) fn quantile(classes: &[(u32, u64)], percent: u64) -> Option<Duration> {
    let total: u64 = classes.iter().map(|(_, count)| count).sum();
    let rank = (total * percent).div_ceil(100).max(1);
    let mut seen = 0;
    classes.iter().find_map(|(class, count)| {
        seen += count;
        (seen >= rank).then(|| Duration::from_millis(start_of(*class)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_a_fifth_wide() {
        assert_eq!((class_of(0), class_of(999), class_of(1000)), (0, 0, 1));
        assert_eq!(class_of(u64::MAX), LAST);
        for class in 1..LAST {
            let (start, next) = (start_of(class), start_of(class + 1));
            assert!(start < next && next / 6 <= start / 5, "{class}: {start} to {next}");
            assert_eq!((class_of(start), class_of(next - 1)), (class, class));
        }
    }

    #[test]
    fn half_are_shorter_than_the_median() {
        let seconds = |class| Some(Duration::from_millis(start_of(class)));
        assert_eq!(quantile(&[], 50), None);
        assert_eq!(quantile(&[(3, 1)], 50), seconds(3));
        let classes = [(1, 10), (5, 9), (9, 1)];
        assert_eq!(quantile(&classes, 50), seconds(1));
        assert_eq!(quantile(&classes, 51), seconds(5));
        assert_eq!(quantile(&classes, 95), seconds(5));
        assert_eq!(quantile(&classes, 96), seconds(9));
    }
}
