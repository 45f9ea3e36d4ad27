//! Which of the right names a wrong one may have meant.

/// The candidate that takes the fewest edits to get to, if that is close enough for a slip.
pub(super) fn nearest<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let most = (wrong.chars().count() / 3).clamp(1, 5);
    let measured = candidates.into_iter().map(|right| (edits(wrong, right), right));
    measured.filter(|(edits, _)| *edits <= most).min().map(|(_, right)| right)
}

/// Insertions, deletions, changes and swaps of neighbours from `a` to `b` (optimal string
/// alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut least =
                (above[j] + usize::from(from != to)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && *from == b[j - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("idle", "idle"), 0);
        assert_eq!(edits("idel", "idle"), 1);
        assert_eq!(edits("sesion", "sessions"), 2);
    }

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["sessions.idle_seconds", "guests.idle_seconds", "store.data_dir"];
        assert_eq!(nearest("sessions.idel_seconds", names), Some(names[0]));
        assert_eq!(nearest("session.idle_secs", names), Some(names[0]));
        assert_eq!(nearest("sessions.colour", names), None);
        assert_eq!(nearest("", names), None);
    }
}
