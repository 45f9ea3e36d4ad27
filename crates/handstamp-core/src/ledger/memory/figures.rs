//! The figures of the memory ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::id::{IdBuildHasher, SessionId};
use crate::ledger::points::{Row, points_of};
use crate::ledger::report::{MOST_NAMES, Point, Report, Series, Span};
use crate::ledger::tally::{Figure, Open, Place, Standing, Sums, Visit};
use crate::time::Timestamp;

/// All that reports are made of.
#[derive(Debug, Default)]
pub(super) struct Figures {
    figures: BTreeMap<Place, Figure>,
    visits: BTreeMap<Visit, Figure>,
    open: HashMap<SessionId, Open, IdBuildHasher>,
    live: BTreeMap<Arc<str>, i64>,
    standing: Standing,
}

impl Figures {
    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) fn find(&self, id: SessionId) -> Option<Open> {
        self.open.get(&id).cloned()
    }

    pub(super) fn add(&mut self, sums: Sums) {
        for (place, figure) in sums.figures {
            let (before, after) = self.count(place.clone(), figure);
            if let Some(place) = place.newcomer(before, after) {
                self.count(place, Figure::NEWCOMER);
            }
        }
        for (visit, figure) in sums.visits {
            if !self.visits.contains_key(&visit) {
                self.count(visit.place(), Figure::NEWCOMER);
            }
            self.visits.entry(visit).or_default().add(figure);
        }
        self.open.extend(sums.opened);
        self.open.retain(|id, _| !sums.closed.contains(id));
        for (device, more) in sums.live {
            *self.live.entry(device).or_default() += more;
        }
        if sums.is_reset {
            self.live.clear();
        }
        self.standing = sums.standing;
    }

    /// Adds to a figure; answers what it was and what it is.
    fn count(&mut self, place: Place, figure: Figure) -> (Figure, Figure) {
        let there = self.figures.entry(place).or_default();
        let before = *there;
        there.add(figure);
        (before, *there)
    }

    /// Takes the visits of `subject` out of what is told of addresses.
    pub(super) fn forget(&mut self, subject: &str) {
        let theirs = |visit: &Visit, _: &mut Figure| *visit.subject == *subject;
        let visits: Vec<_> = self.visits.extract_if(.., theirs).collect();
        for (visit, figure) in visits {
            let place = visit.place();
            let (_, after) = self.count(place.clone(), figure.forgotten());
            if after.count <= 0 {
                self.figures.remove(&place);
            }
        }
    }

    /// Removes what is told of addresses in buckets that began before `at`.
    pub(super) fn trim(&mut self, at: Timestamp) {
        self.visits.retain(|visit, _| visit.at >= at);
        self.figures.retain(|place, _| place.report != Report::Ips || place.at >= at);
    }

    pub(super) fn report(&self, report: Report, span: Span) -> Series {
        let points = match report {
            Report::Active => self.active(span),
            Report::LiveDevices => {
                let row = |(name, count): (&Arc<str>, &i64)| (name.clone(), Figure::of(*count, 0));
                points_of(report, span.to, top(report, self.live.iter().map(row).collect()))
            }
            _ => {
                let rows = |at| top(report, self.rows(report, span, at).collect());
                span.starts().flat_map(|at| points_of(report, at, rows(at))).collect()
            }
        };
        span.series(points)
    }

    fn rows(&self, report: Report, span: Span, at: Timestamp) -> impl Iterator<Item = Row> {
        let from = Place { report, bucket: span.bucket, at, name: "".into() };
        let is_here = move |place: &Place| {
            (place.report, place.bucket, place.at) == (report, span.bucket, at)
        };
        let found = self.figures.range(from..).take_while(move |(place, _)| is_here(place));
        found.map(|(place, figure)| (place.name.clone(), *figure))
    }

    fn active(&self, span: Span) -> Vec<Point> {
        let place = |at| Place { report: Report::Active, bucket: span.bucket, at, name: "".into() };
        let start = place(Timestamp::from_millis(i64::MIN));
        let before = self.figures.range(start..place(span.from)).map(|(_, figure)| figure.count);
        let mut live: i64 = before.sum();
        let mut at_the_end_of = |at| {
            live += self.figures.get(&place(at)).map_or(0, |figure| figure.count);
            Point::new(at, None, live.try_into().unwrap_or(0))
        };
        span.starts().map(&mut at_the_end_of).collect()
    }
}

/// The rows with the greatest counts, if the report has names.
fn top(report: Report, mut rows: Vec<Row>) -> Vec<Row> {
    if report.has_names() {
        rows.sort_by(|(a, of_a), (b, of_b)| of_b.count.cmp(&of_a.count).then(a.cmp(b)));
        rows.truncate(MOST_NAMES);
    }
    rows
}
