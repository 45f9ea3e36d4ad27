//! L01–L12: the ledger's entries.

use std::sync::Arc;

use super::sample::at;
use crate::ledger::{Entry, Ledger, LedgerExt, Put, Written};
use crate::store::{BoxFuture, Page, SessionStore};
use crate::time::Timestamp;

/// A ledger and the store whose events it reports on; mostly the same thing twice.
#[derive(Clone)]
pub struct Books {
    /// The ledger under test.
    pub ledger: Arc<dyn Ledger>,
    /// The store beside it.
    pub store: Arc<dyn SessionStore>,
}

/// Gives the suite ledgers of one kind.
pub trait LedgerFixture: Send + Sync {
    /// Opens a fresh ledger that shares nothing with any other.
    fn open(&self) -> BoxFuture<'_, Books>;

    /// Whether [`reopen`](Self::reopen) opens anything.
    fn can_reopen(&self) -> bool {
        false
    }

    /// Closes `books`, of which these are the last handles, and opens their data again; `None` for
    /// a ledger that keeps nothing beyond the process.
    fn reopen(&self, books: Books) -> BoxFuture<'_, Option<Books>> {
        drop(books);
        Box::pin(async { None })
    }
}

/// Makes one `#[test]` for each clause of the ledger's contract, each on a fixture of its own, made
/// by the function given.
#[macro_export]
macro_rules! ledger_suite {
    ($make:expr) => {
        $crate::conformance_suite! { $make =>
            l01_an_entry_is_read_back_as_it_was_put
            l02_a_put_that_expects_nothing_overwrites_nothing
            l03_a_put_applies_to_the_version_it_was_made_from
            l04_a_put_that_expects_anything_applies
            l05_an_entry_without_a_body_is_gone
            l06_a_write_is_applied_whole_or_not_at_all
            l07_a_version_never_comes_again
            l08_what_cannot_be_kept_is_refused
            l09_a_shelf_is_listed_by_key
            l10_what_is_due_comes_earliest_first
            l11_concurrent_writes_all_count
            l12_what_was_acknowledged_is_kept
            l13_each_event_is_rolled_up_once
            l14_reports_say_what_the_events_add_up_to
            l15_a_report_is_bounded
            l16_a_forgotten_subject_leaves_no_address
            l17_old_addresses_are_trimmed
        }
    };
}

async fn write(ledger: &dyn Ledger, puts: Vec<Put>) -> Written {
    ledger.write(puts).await.expect("a write is answered")
}

async fn apply(ledger: &dyn Ledger, puts: Vec<Put>) -> u64 {
    match write(ledger, puts).await {
        Written::Applied(version) => version,
        other => panic!("it applies: {other:?}"),
    }
}

async fn get(ledger: &dyn Ledger, key: &str) -> Option<Entry> {
    ledger.get("shelf", key).await.expect("an answer")
}

fn put(key: &str, value: u32) -> Put {
    Put::new("shelf", key, &value).expect("a number is JSON")
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.key).collect()
}

/// **L01** An entry is read back as the last applied put wrote it; shelves are apart.
pub async fn l01_an_entry_is_read_back_as_it_was_put(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    assert_eq!(get(&*ledger, "k").await, None);
    let odd = "Käse \u{1f9c0} 'quoted\" %_\n";
    let value = serde_json::json!({ "a": [null, odd, 1.5], "b": {} });
    let first = Put::new("shelf", odd, &value).expect("JSON").due(at(5));
    let elsewhere = Put::new("shelf2", odd, "else").expect("JSON");
    let version = apply(&*ledger, vec![first, elsewhere]).await;
    let found = get(&*ledger, odd).await.expect("it is there");
    assert_eq!((&*found.shelf, &*found.key, found.version), ("shelf", odd, version));
    assert_eq!(found.read::<serde_json::Value>().expect("JSON"), value);
    assert_eq!(found.due_at, Some(at(5)));
    apply(&*ledger, vec![Put::new("shelf", odd, &1).expect("JSON")]).await;
    let found = get(&*ledger, odd).await.expect("it is there");
    assert_eq!((&*found.body, found.due_at), ("1", None), "a put replaces all of it");
    let other = ledger.get("shelf2", odd).await.expect("an answer").expect("it is there");
    assert_eq!((&*other.body, other.version), ("\"else\"", version));
}

/// **L02** A put that expects nothing applies where nothing is, and otherwise tells what is there.
pub async fn l02_a_put_that_expects_nothing_overwrites_nothing(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    apply(&*ledger, vec![put("k", 1).if_absent()]).await;
    let there = get(&*ledger, "k").await;
    let second = write(&*ledger, vec![put("k", 2).if_absent()]).await;
    assert_eq!(second, Written::Conflict { place: 0, current: there.clone() });
    assert_eq!(get(&*ledger, "k").await, there);
}

/// **L03** A put that expects a version applies to it alone.
pub async fn l03_a_put_applies_to_the_version_it_was_made_from(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    let nothing = write(&*ledger, vec![put("k", 1).if_version(1)]).await;
    assert_eq!(nothing, Written::Conflict { place: 0, current: None });
    let first = apply(&*ledger, vec![put("k", 1)]).await;
    let second = apply(&*ledger, vec![put("k", 2).if_version(first)]).await;
    let late = write(&*ledger, vec![put("k", 3).if_version(first)]).await;
    let there = get(&*ledger, "k").await;
    assert_eq!(there.as_ref().map(|entry| (entry.version, &*entry.body)), Some((second, "2")));
    assert_eq!(late, Written::Conflict { place: 0, current: there });
}

/// **L04** A put that expects anything applies whatever is there.
pub async fn l04_a_put_that_expects_anything_applies(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    for value in 1..=3 {
        let version = apply(&*ledger, vec![put("k", value)]).await;
        let entry = get(&*ledger, "k").await.expect("it is there");
        assert_eq!((entry.read::<u32>().expect("a number"), entry.version), (value, version));
    }
}

/// **L05** A put without a body removes the entry, from every list, and needs none.
pub async fn l05_an_entry_without_a_body_is_gone(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    apply(&*ledger, vec![Put::removal("shelf", "never")]).await;
    let version = apply(&*ledger, vec![put("k", 1).due(at(1))]).await;
    let late = write(&*ledger, vec![Put::removal("shelf", "k").if_version(version + 1)]).await;
    assert!(matches!(late, Written::Conflict { .. }), "{late:?}");
    apply(&*ledger, vec![Put::removal("shelf", "k").if_version(version)]).await;
    assert_eq!(get(&*ledger, "k").await, None);
    let page = ledger.list("shelf", "", &Page::default()).await.expect("a list");
    assert!(page.entries.is_empty() && page.next.is_none());
    assert!(ledger.due("shelf", at(9), 9).await.expect("a list").is_empty());
    apply(&*ledger, vec![put("k", 2).if_absent()]).await;
}

/// **L06** A write is applied whole or not at all, and names the first put that does not fit.
pub async fn l06_a_write_is_applied_whole_or_not_at_all(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    let old = apply(&*ledger, vec![put("a", 1), put("b", 1)]).await;
    let puts = vec![
        put("a", 2).if_version(old),
        put("new", 2),
        put("b", 2).if_absent(),
        put("c", 2).if_version(7),
    ];
    let b = get(&*ledger, "b").await;
    assert_eq!(write(&*ledger, puts).await, Written::Conflict { place: 2, current: b });
    let entry = get(&*ledger, "a").await.expect("it is there");
    assert_eq!((entry.version, &*entry.body), (old, "1"));
    assert_eq!(get(&*ledger, "new").await, None);
    assert_eq!(write(&*ledger, Vec::new()).await, Written::Applied(0));
    let new = apply(&*ledger, vec![put("a", 3).if_version(old), put("new", 3)]).await;
    for key in ["a", "new"] {
        assert_eq!(get(&*ledger, key).await.map(|entry| entry.version), Some(new));
    }
}

/// **L07** No version is given twice, not even after a removal.
pub async fn l07_a_version_never_comes_again(fixture: &dyn LedgerFixture) {
    let mut books = fixture.open().await;
    let mut last = 0;
    for round in 0..6 {
        let version = apply(&*books.ledger, vec![put("k", round)]).await;
        assert!(version > last, "{version} after {last}");
        let removed = apply(&*books.ledger, vec![Put::removal("shelf", "k")]).await;
        assert!(removed > version);
        last = removed;
        let stale = write(&*books.ledger, vec![put("k", 9).if_version(version)]).await;
        assert_eq!(stale, Written::Conflict { place: 0, current: None });
        if round == 3 {
            let Some(opened) = fixture.reopen(books).await else { return };
            books = opened;
        }
    }
}

/// **L08** What cannot be kept is refused, and what is written with it is not written either.
pub async fn l08_what_cannot_be_kept_is_refused(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    let long = "x".repeat(Put::MAX_BODY);
    let bad = [
        put("", 1),
        put(&"k".repeat(Put::MAX_KEY + 1), 1),
        put("a\0b", 1),
        put("good", 2),
        Put::removal("", "k"),
        Put::removal(&"s".repeat(Put::MAX_SHELF + 1), "k"),
        Put::new("shelf", "k", &long).expect("JSON"),
    ];
    for bad in bad {
        let answer = write(&*ledger, vec![put("good", 1), bad.clone()]).await;
        assert!(matches!(answer, Written::Invalid { place: 1, .. }), "{bad:?}: {answer:?}");
    }
    assert_eq!(get(&*ledger, "good").await, None);
    let key = "k".repeat(Put::MAX_KEY);
    let (shelf, body) = ("s".repeat(Put::MAX_SHELF), &long[2..]);
    apply(&*ledger, vec![Put::new(&shelf, &key, body).expect("JSON")]).await;
    let kept = ledger.get(&shelf, &key).await.expect("an answer").expect("it is there");
    assert_eq!(kept.body.len(), Put::MAX_BODY);
}

/// **L09** A shelf is listed by key, in pages, each entry once while others come and go.
pub async fn l09_a_shelf_is_listed_by_key(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    let names = ["b", "a/1", "a/10", "a/2", "ä", "a", "A", "a%", "a_"];
    apply(&*ledger, names.iter().map(|key| put(key, 1)).collect()).await;
    apply(&*ledger, vec![Put::new("other", "a/3", &1).expect("JSON")]).await;
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed(&*ledger, "").await, sorted, "by bytes");
    assert_eq!(listed(&*ledger, "a/").await, ["a/1", "a/10", "a/2"]);
    assert_eq!(listed(&*ledger, "a_").await, ["a_"], "a prefix is taken as it is");
    assert!(listed(&*ledger, "c").await.is_empty());

    let first = ledger.list("shelf", "a/", &Page::first(1)).await.expect("a list");
    assert_eq!(keys(&first.entries), ["a/1"]);
    apply(&*ledger, vec![Put::removal("shelf", "a/1"), put("a/0", 1), put("a/11", 1)]).await;
    let next = Page { limit: 9, after: first.next };
    let rest = ledger.list("shelf", "a/", &next).await.expect("a list");
    assert_eq!((keys(&rest.entries), rest.next.clone()), (vec!["a/10", "a/11", "a/2"], None));
}

async fn listed(ledger: &dyn Ledger, prefix: &str) -> Vec<String> {
    let (mut found, mut page) = (Vec::new(), Page::first(2));
    loop {
        let answer = ledger.list("shelf", prefix, &page).await.expect("a list");
        assert!(answer.entries.len() <= 2, "a page is no longer than asked for");
        found.extend(answer.entries.iter().map(|entry| entry.key.to_string()));
        let Some(next) = answer.next else { return found };
        page.after = Some(next);
    }
}

/// **L10** What is due is listed earliest first; a put moves it.
pub async fn l10_what_is_due_comes_earliest_first(fixture: &dyn LedgerFixture) {
    let ledger = fixture.open().await.ledger;
    let puts = vec![
        put("late", 1).due(at(30)),
        put("never", 1),
        put("early", 1).due(at(10)),
        put("old", 1).due(Timestamp::from_millis(-5)),
        Put::new("other", "x", &1).expect("JSON").due(at(1)),
    ];
    apply(&*ledger, puts).await;
    let due = async |before, limit| {
        let entries = ledger.due("shelf", before, limit).await.expect("a list");
        entries.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(at(9), 9).await, ["old"]);
    assert_eq!(due(at(10), 9).await, ["old", "early"], "at that time");
    assert_eq!(due(at(99), 9).await, ["old", "early", "late"]);
    assert_eq!(due(at(99), 2).await, ["old", "early"]);
    apply(&*ledger, vec![put("early", 2).due(at(40)), put("late", 2)]).await;
    apply(&*ledger, vec![Put::removal("shelf", "old"), put("never", 2).due(at(20))]).await;
    assert_eq!(due(at(99), 9).await, ["never", "early"]);
}

/// **L11** Concurrent writes all count: increments by read, write and retry sum up.
pub async fn l11_concurrent_writes_all_count(fixture: &dyn LedgerFixture) {
    const TASKS: u32 = 8;
    const EACH: u32 = 8;
    let ledger = fixture.open().await.ledger;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let add = |n: &mut Option<u32>| *n.insert(n.unwrap_or(0) + 1);
                    ledger.update("shelf", "n", add).await.expect("it is changed");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    let found = ledger.find::<u32>("shelf", "n").await.expect("an answer");
    assert_eq!(found.map(|(n, _)| n), Some(TASKS * EACH));
}

/// **L12** What was acknowledged is there after the ledger is opened again.
pub async fn l12_what_was_acknowledged_is_kept(fixture: &dyn LedgerFixture) {
    let books = fixture.open().await;
    apply(&*books.ledger, vec![put("a", 1).due(at(3)), put("b", 2), put("c", 3)]).await;
    apply(&*books.ledger, vec![Put::removal("shelf", "b"), put("c", 4)]).await;
    let before = everything(&*books.ledger).await;
    let Some(books) = fixture.reopen(books).await else { return };
    assert_eq!(everything(&*books.ledger).await, before);
}

async fn everything(ledger: &dyn Ledger) -> (Vec<Entry>, Vec<Entry>) {
    let listed = ledger.list("shelf", "", &Page::default()).await.expect("a list");
    (listed.entries, ledger.due("shelf", at(9), 9).await.expect("a list"))
}
