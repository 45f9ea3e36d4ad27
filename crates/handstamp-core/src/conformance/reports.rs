//! L13–L17: reports.

use std::sync::Arc;
use std::time::Duration;

use super::happened::Happened;
use super::ledger::{Books, LedgerFixture};
use super::sample;
use crate::chain::Sealer;
use crate::event::{Action, Event};
use crate::key::KeyRing;
use crate::ledger::report::{MOST_BUCKETS, MOST_NAMES, Span};
use crate::ledger::{Bucket, Ledger, Point, Report, Series};
use crate::time::Timestamp;

async fn append(books: &Books, events: &[Event]) {
    let sealer = Sealer::new(KeyRing::generate().expect("random bytes"));
    books.store.append(events.to_vec(), &sealer).await.expect("events are appended");
}

async fn roll_up_all(ledger: &dyn Ledger) {
    while ledger.roll_up(100).await.expect("it is rolled up") {}
}

async fn report(ledger: &dyn Ledger, report: Report, span: Span) -> Series {
    let answer = ledger.report(report, span.from, span.to, span.bucket).await;
    answer.expect("a report is answered")
}

/// Holds every report against what happened.
async fn agrees(ledger: &dyn Ledger, happened: &Happened) {
    let last = happened.events.iter().map(|event| event.at).max().expect("something happened");
    for bucket in Bucket::ALL {
        let whole = Span::of(sample::BEGIN.minus(bucket.length()), last, bucket);
        let middle = whole.from.plus(last.since(whole.from) / 2);
        for span in [whole, Span::of(middle, last.minus(bucket.length()), bucket)] {
            for one in Report::ALL {
                let series = report(ledger, one, span).await;
                assert_eq!((series.from, series.to, series.bucket), (span.from, span.to, bucket));
                let points: Vec<_> = series.points.into_iter().map(without_median).collect();
                assert_eq!(points, happened.points(one, span), "{one} by {bucket:?}");
            }
        }
    }
}

fn without_median(point: Point) -> Point {
    if let (Some(median), Some(p95)) = (point.median, point.p95) {
        assert!(median <= p95);
    }
    Point { median: None, p95: None, ..point }
}

/// **L13** Each event is rolled up once, in pieces, by several at once and across restarts.
pub async fn l13_each_event_is_rolled_up_once(fixture: &dyn LedgerFixture) {
    let mut books = fixture.open().await;
    assert!(!books.ledger.roll_up(9).await.expect("an answer"), "there is nothing");
    let happened = Happened::random(13, 240);
    for (turn, events) in happened.events.chunks(80).enumerate() {
        for batch in events.chunks(7) {
            append(&books, batch).await;
        }
        assert!(books.ledger.roll_up(3).await.expect("an answer"), "there is more");
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let ledger = Arc::clone(&books.ledger);
                tokio::spawn(async move {
                    for _ in 0..4 {
                        ledger.roll_up(5).await.expect("it is rolled up");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task");
        }
        if turn == 1 && fixture.can_reopen() {
            books = fixture.reopen(books).await.expect("it is opened again");
        }
    }
    roll_up_all(&*books.ledger).await;
    agrees(&*books.ledger, &happened).await;
    roll_up_all(&*books.ledger).await;
    agrees(&*books.ledger, &happened).await;
}

/// **L14** Reports say what the events add up to, after any history.
pub async fn l14_reports_say_what_the_events_add_up_to(fixture: &dyn LedgerFixture) {
    for seed in 0..5 {
        let books = fixture.open().await;
        let happened = Happened::random(seed, 150);
        append(&books, &happened.events).await;
        roll_up_all(&*books.ledger).await;
        agrees(&*books.ledger, &happened).await;
    }
    medians(fixture).await;
}

/// Ten sessions that lasted one to ten minutes.
async fn medians(fixture: &dyn LedgerFixture) {
    let books = fixture.open().await;
    let mut events = Vec::new();
    for minutes in 1..=10_u64 {
        let record = sample::record(books.store.meta(), Some(&sample::subject("alice")));
        events.push(sample::event_of(&record, Action::SessionStarted, sample::BEGIN));
        let mut ended = sample::event_of(&record, Action::SessionEnded, sample::BEGIN);
        ended.details.insert("lasted_ms".into(), (minutes * 60_000).into());
        events.push(ended);
    }
    append(&books, &events).await;
    roll_up_all(&*books.ledger).await;
    let to = sample::BEGIN.plus(Duration::from_millis(1));
    let span = Span::of(sample::BEGIN, to, Bucket::Day);
    let point = report(&*books.ledger, Report::Durations, span).await.points.remove(0);
    assert_eq!((point.count, point.mean), (10, Some(Duration::from_secs(330))));
    let is_near = |told: Option<Duration>, exact: u64| {
        let (told, exact) = (told.expect("there are some"), Duration::from_secs(exact));
        assert!(told <= exact && exact.as_secs_f64() < told.as_secs_f64() * 1.2, "{told:?}");
    };
    is_near(point.median, 300);
    is_near(point.p95, 600);
}

/// **L15** A report goes over so many buckets, with so many names each, at most.
pub async fn l15_a_report_is_bounded(fixture: &dyn LedgerFixture) {
    let books = fixture.open().await;
    let mut events = Vec::new();
    for name in 0..MOST_NAMES + 5 {
        let record =
            sample::record(books.store.meta(), Some(&sample::subject(&format!("u{name:02}"))));
        events.push(sample::event_of(&record, Action::SessionStarted, sample::BEGIN));
    }
    let last = events.last().expect("there are some").clone();
    events.push(last);
    append(&books, &events).await;
    roll_up_all(&*books.ledger).await;
    let to = sample::BEGIN.plus(Duration::from_millis(1));
    let series = books.ledger.report(Report::Users, Timestamp::from_millis(0), to, Bucket::Hour);
    let series = series.await.expect("a report is answered");
    assert_eq!(series.points.len(), MOST_NAMES);
    let names: Vec<_> =
        series.points[..2].iter().map(|point| (point.name.as_deref(), point.count)).collect();
    assert_eq!(names, [(Some("u54"), 2), (Some("u00"), 1)], "the greatest first, then by name");
    let series = books.ledger.report(Report::Active, Timestamp::from_millis(0), to, Bucket::Hour);
    let series = series.await.expect("a report is answered");
    assert_eq!(series.points.len(), MOST_BUCKETS, "the latest");
    assert_eq!(series.from, series.to.minus(Duration::from_secs(3600 * MOST_BUCKETS as u64)));
}

/// **L16** A forgotten subject leaves no address behind, and every other figure as it is.
pub async fn l16_a_forgotten_subject_leaves_no_address(fixture: &dyn LedgerFixture) {
    let books = fixture.open().await;
    let mut happened = Happened::random(16, 200);
    append(&books, &happened.events).await;
    roll_up_all(&*books.ledger).await;
    let user = sample::subject("user3");
    books.ledger.forget(&user).await.expect("it is forgotten");
    for event in happened.events.iter_mut().filter(|event| event.subject.as_ref() == Some(&user)) {
        let Some(personal) = event.personal.as_mut() else { continue };
        personal.client.ip = None;
    }
    agrees(&*books.ledger, &happened).await;
    books.ledger.forget(&user).await.expect("there is nothing more");
    agrees(&*books.ledger, &happened).await;
}

/// **L17** What is told of addresses is trimmed by age, and nothing else.
pub async fn l17_old_addresses_are_trimmed(fixture: &dyn LedgerFixture) {
    let books = fixture.open().await;
    let happened = Happened::random(17, 100);
    append(&books, &happened.events).await;
    roll_up_all(&*books.ledger).await;
    let middle = Bucket::Week.start(happened.events[60].at);
    books.ledger.trim(middle).await.expect("it is trimmed");
    let last = happened.events[99].at.plus(Duration::from_secs(7200));
    for bucket in Bucket::ALL {
        let span = Span::of(sample::BEGIN.minus(Duration::from_secs(4000)), last, bucket);
        let ips = report(&*books.ledger, Report::Ips, span).await.points;
        let expected =
            happened.points(Report::Ips, span).into_iter().filter(|point| point.at >= middle);
        assert_eq!(ips, expected.collect::<Vec<_>>(), "{bucket:?}");
        let users = report(&*books.ledger, Report::Users, span).await.points;
        assert_eq!(users, happened.points(Report::Users, span));
    }
    let user = sample::subject("user3");
    books.ledger.forget(&user).await.expect("what is trimmed is no trouble");
}
