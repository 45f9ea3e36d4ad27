//! C45–C49: all that a store holds is taken to another, and a store that was left is left.

use std::sync::Arc;

use super::ledger::Books;
use super::sample::{self, at, subject};
use super::world::World;
use crate::chain::{Link, verify_chain};
use crate::event::Action;
use crate::ledger::{Put, Written};
use crate::record::Record;
use crate::store::{BoxFuture, Cursor, Group, StoreError};
use crate::time::Timestamp;
use crate::transfer::{
    LEDGER, MARK, Part, Portable, Range, Row, SESSIONS, Standing, Stretch, TABLES, Table, Transfer,
    TransferError,
};

/// Gives the suite places in which stores of one kind may be.
pub trait PortableFixture: Send + Sync {
    /// A place of its own, with nothing in it.
    fn place(&self) -> BoxFuture<'_, Arc<dyn Place>>;
}

/// Where one store is, or will be.
pub trait Place: Send + Sync {
    /// Opens the store to serve from it; makes it where there is none. What comes instead of it says
    /// why it is not to be served from.
    fn serve(&self) -> BoxFuture<'_, Result<Books, String>>;

    /// What it holds, for a run of a transfer to read and to write.
    fn hold(&self) -> BoxFuture<'_, Arc<dyn Portable>>;

    /// Whether several may have it open at once. Of others nobody is served while a run holds them.
    fn is_shared(&self) -> bool {
        false
    }

    /// As if every process that served from it had been dead for long.
    fn bury(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Makes one `#[test]` for each clause of what can be taken elsewhere, each on a fixture of its own,
/// made by the function given.
#[macro_export]
macro_rules! portable_suite {
    ($make:expr) => {
        $crate::conformance_suite! { $make =>
            c45_what_is_taken_elsewhere_is_the_same_row_by_row
            c46_rows_are_read_in_ranges_of_their_keys
            c47_a_store_is_served_from_or_filled_or_left
            c48_a_run_that_was_taken_over_from_writes_nothing
            c49_a_store_that_was_left_refuses_whoever_has_it_open
        }
    };
}

/// The number of a copy.
const COPY: u128 = 7;

/// A store with a bit of everything, and what of it can be asked for again.
struct Furnished {
    world: World,
    live: Record,
    ended: Record,
}

/// Serves from `place` and puts a bit of everything into it, added up.
async fn furnish(place: &dyn Place) -> (Books, Furnished) {
    let books = place.serve().await.expect("a new store can be served from");
    let world = World::of(Arc::clone(&books.store));
    for name in ["alice", "bob", "carol"] {
        let record = sample::full_record(world.store.meta(), &subject(name));
        let event = sample::event_of(&record, Action::SessionStarted, at(1));
        world.one(Group { events: vec![event], ..sample::insert(&record) }).await;
    }
    let (live, ended) = (begin(&world).await, begin(&world).await);
    let ended = world.end_at(&ended, at(2)).await;
    world.insert(&world.anonymous()).await;
    world.change(sample::bump(&subject("bob"))).await;
    world.change(sample::disable(&subject("carol"), true)).await;
    world.store.bind(live.id, None, Some(vec![1, 0, 255])).await.expect("a binding is answered");
    let put = |key, value: &str| Put::new("shelf", key, value).expect("a text is JSON");
    let puts = vec![put("a", "one"), put("b", "Käse \u{1f9c0}").due(at(9)), put("c", "")];
    assert!(matches!(books.ledger.write(puts).await, Ok(Written::Applied(_))));
    while books.ledger.roll_up(1000).await.expect("events are added up") {}
    (books, Furnished { world, live, ended })
}

/// A session with an event of which a part is personal.
async fn begin(world: &World) -> Record {
    let record = world.record(&subject("alice"));
    let event = sample::event_of(&record, Action::SessionStarted, at(1));
    world.one(Group { events: vec![event], ..sample::insert(&record) }).await;
    world.get(record.id).await
}

/// A furnished store that nobody serves from any more.
async fn furnished(place: &dyn Place) -> Furnished {
    let (books, furnished) = furnish(place).await;
    let Furnished { world: World { sealer, store }, live, ended } = furnished;
    drop((books, store));
    place.bury().await;
    // Only what it is sealed with is asked for again.
    let nothing = Arc::new(crate::store::MemoryStore::new());
    Furnished { world: World { sealer, store: nothing }, live, ended }
}

async fn all(content: &dyn Portable, table: &'static Table) -> Vec<Row> {
    content.rows(table, &Range::default()).await.expect("rows are read")
}

/// Batches and events of all chains, wherever they lie.
async fn log(content: &dyn Portable) -> Vec<(Row, Vec<Row>)> {
    let mut log = Vec::new();
    for chain in content.chains().await.expect("chains are read") {
        let stretches = content.log(chain.end.writer, 0, 1000).await.expect("a log is read");
        log.extend(stretches.into_iter().map(|Stretch { batch, events, .. }| (batch, events)));
    }
    log
}

fn quiet(_: &Part) {}

/// **C45** What is read out of a store and written into another is there row by row and event by event,
/// and whoever serves from that goes on from it.
pub async fn c45_what_is_taken_elsewhere_is_the_same_row_by_row(fixture: &dyn PortableFixture) {
    let (from, to) = (fixture.place().await, fixture.place().await);
    let furnished = furnished(&*from).await;
    let (source, copy) = (from.hold().await, to.hold().await);
    let transfer = Transfer::new(&*source, &*copy, &quiet);
    let report = transfer.finish().await.expect("it is taken").expect("it was not before");
    assert!(report.parts.iter().filter(|part| part.rows > 0).count() >= 8, "{report:?}");
    for table in TABLES {
        let (ours, theirs) = (all(&*source, table).await, all(&*copy, table).await);
        assert!(ours == theirs, "{}", table.name);
    }
    let events = log(&*source).await;
    assert!(!events.is_empty() && events == log(&*copy).await);
    assert_eq!(transfer.check().await.expect("they are compared").changed(), 0);
    assert!(transfer.finish().await.expect("it is asked for again").is_none(), "it is done");
    goes_on(&*source, &*copy).await;
    drop((source, copy));
    let books = to.serve().await.expect("it can be served from");
    let world = World { store: books.store, sealer: furnished.world.sealer };
    for before in [&furnished.live, &furnished.ended] {
        assert_eq!(world.get(before.id).await, *before);
    }
    let mut writers = 0;
    for writer in world.store.writers().await.expect("writers are told") {
        let batches = world.store.sealed(writer, 0, 1000).await.expect("batches are answered");
        verify_chain(&world.sealer, 0, Link::START, &batches).expect("the chain verifies");
        writers += 1;
    }
    assert!(writers > 0, "there is a chain");
    begin(&world).await;
}

/// What holds for the whole holds for the copy, and no number comes twice.
async fn goes_on(source: &dyn Portable, copy: &dyn Portable) {
    let ours = source.basis().await.expect("a basis is read");
    let theirs = copy.basis().await.expect("a basis is read");
    assert_eq!(theirs.partition_key, ours.partition_key);
    assert_eq!(theirs.deployment, ours.deployment);
    assert!(theirs.change > ours.change, "followers are told of a gap");
    assert!(theirs.ledger >= ours.ledger);
}

/// **C46** `rows` gives those after one key and up to another, in the order of their keys, at most so
/// many; the mark of what the store is there for is none of them.
pub async fn c46_rows_are_read_in_ranges_of_their_keys(fixture: &dyn PortableFixture) {
    let place = fixture.place().await;
    furnished(&*place).await;
    let content = place.hold().await;
    for table in TABLES {
        let rows = all(&*content, table).await;
        let mut paged = Vec::new();
        loop {
            let after = paged.last().map(|row: &Row| table.key_of(row).to_vec());
            let page = Range { after, through: None, limit: Some(1) };
            let page = content.rows(table, &page).await.expect("a page is read");
            assert!(page.len() <= 1, "{}", table.name);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert!(paged == rows, "{}", table.name);
        let [first, last] = [rows.first(), rows.last()].map(|row| row.map(|row| table.key_of(row)));
        let range = Range {
            after: first.map(<[_]>::to_vec),
            through: last.map(<[_]>::to_vec),
            limit: None,
        };
        let rest = content.rows(table, &range).await.expect("a range is read");
        assert!(rest == rows[rows.len().min(1)..], "{}", table.name);
    }
    content.leave(COPY).await.expect("nobody serves");
    let shelf = crate::transfer::Value::Text(MARK.0.into());
    assert!(all(&*content, &LEDGER).await.iter().all(|row| row[0] != shelf), "no mark");
}

/// **C47** A store that is filled or was left is served from by nobody; only one that is filled takes
/// rows, only an empty one begins to be filled, and one that was left can be gone back to.
pub async fn c47_a_store_is_served_from_or_filled_or_left(fixture: &dyn PortableFixture) {
    let (from, to) = (fixture.place().await, fixture.place().await);
    assert_eq!(to.hold().await.standing().await.expect("it stands"), Standing::Empty);
    let (books, _) = furnish(&*from).await;
    let late = sample::event(Action::StepUp, at(3));
    let sealer = World::of(Arc::clone(&books.store)).sealer;
    books.store.append(vec![late], &sealer).await.expect("an event is added");
    drop(books);
    from.bury().await;
    let source = from.hold().await;
    let basis = source.basis().await.expect("a basis is read");
    assert_eq!(source.standing().await.expect("it stands"), Standing::Open);
    assert!(matches!(source.begin(&basis, COPY).await, Err(TransferError::NotEmpty)));
    assert!(matches!(source.leave(COPY).await, Err(TransferError::NotRolledUp)));
    takes_nothing(&*source).await;
    drop(source);
    let books = from.serve().await.expect("it can be served from");
    while books.ledger.roll_up(1000).await.expect("events are added up") {}
    drop(books);
    from.bury().await;

    let (source, copy) = (from.hold().await, to.hold().await);
    copy.begin(&basis, COPY).await.expect("it is empty");
    assert_eq!(copy.standing().await.expect("it stands"), Standing::Filling(COPY));
    copy.put(&SESSIONS, &[], &[]).await.expect("it is filled");
    assert!(matches!(copy.begin(&basis, COPY).await, Err(TransferError::NotEmpty)));
    assert!(matches!(copy.leave(COPY).await, Err(TransferError::Unfinished)));
    assert!(matches!(copy.stay().await, Err(TransferError::Unfinished)));
    source.leave(COPY).await.expect("nobody serves");
    assert_eq!(source.standing().await.expect("it stands"), Standing::Left(COPY));
    takes_nothing(&*source).await;
    drop((source, copy));
    for place in [&from, &to] {
        assert!(place.serve().await.is_err(), "it is not to be served from");
    }
    from.hold().await.stay().await.expect("it is gone back to");
    from.serve().await.expect("it can be served from");
}

/// It is not being filled: whatever a run has to write is refused.
async fn takes_nothing(content: &dyn Portable) {
    let basis = content.basis().await.expect("a basis is read");
    let before = all(content, &SESSIONS).await;
    let key = SESSIONS.key_of(&before[0]).to_vec();
    let refused = [
        content.put(&SESSIONS, &[], &[key]).await,
        content.append(&[]).await,
        content.cut(1, u64::MAX >> 1).await,
        content.open(&basis, &[]).await,
    ];
    for refused in refused {
        assert!(matches!(refused, Err(TransferError::NotFilling)), "{refused:?}");
    }
    assert!(all(content, &SESSIONS).await == before);
}

/// **C48** Once another run has taken over, what an earlier one has under way comes to nothing. (Shown by
/// stores that several runs can have open.)
pub async fn c48_a_run_that_was_taken_over_from_writes_nothing(fixture: &dyn PortableFixture) {
    let (from, to) = (fixture.place().await, fixture.place().await);
    if !to.is_shared() {
        return;
    }
    furnished(&*from).await;
    let (source, first, second) = (from.hold().await, to.hold().await, to.hold().await);
    Transfer::new(&*source, &*first, &quiet).live().await.expect("it is taken");
    first.put(&SESSIONS, &[], &[]).await.expect("it fills");
    Transfer::new(&*source, &*second, &quiet).live().await.expect("it is taken over");
    takes_nothing(&*first).await;
    second.put(&SESSIONS, &[], &[]).await.expect("it fills");
    assert!(matches!(second.take_over(COPY + 1).await, Err(TransferError::NotFilling)));
}

/// **C49** A store is left only when nobody serves from it. Whoever has it open all the same is refused
/// from then on, whatever they write, and whatever they ask of sessions. (Shown by stores that several
/// processes share.)
pub async fn c49_a_store_that_was_left_refuses_whoever_has_it_open(fixture: &dyn PortableFixture) {
    let place = fixture.place().await;
    if !place.is_shared() {
        return;
    }
    let (books, furnished) = furnish(&*place).await;
    let content = place.hold().await;
    assert!(matches!(content.leave(COPY).await, Err(TransferError::InUse(_))));
    let ends = books.store.ends(Timestamp::MAX).await.expect("ends are answered");
    place.bury().await;
    content.leave(COPY).await.expect("nobody serves");
    let before = everything(&*content).await;
    let (Books { store, ledger }, Furnished { world, live, .. }) = (&books, &furnished);
    let alice = subject("alice");
    let groups = vec![sample::replace(live)];
    refused(store.commit(crate::store::Batch::new(groups, world.sealer.clone())).await);
    refused(store.append(vec![sample::event(Action::StepUp, at(4))], &world.sealer).await);
    refused(
        store.touch(&[(live.id, live.last_seen.plus(std::time::Duration::from_secs(1)))]).await,
    );
    refused(store.purge(Timestamp::MAX, 10).await);
    refused(store.erase(Some(&alice), &ends).await);
    refused(store.erase(None, &ends).await);
    refused(store.cut(&ends, &world.sealer).await);
    refused(store.bind(live.id, Some(1), None).await);
    refused(ledger.write(vec![Put::removal("shelf", "a")]).await);
    refused(ledger.roll_up(10).await);
    refused(ledger.forget(&alice).await);
    refused(ledger.trim(Timestamp::MAX).await);
    assert!(everything(&*content).await == before, "nothing was written");
    refused(store.load(&[live.id]).await);
    refused(store.heads(&[alice]).await);
    refused(store.changes(&Cursor::default(), 10).await);
    refused(store.cursor().await);
    content.stay().await.expect("it is gone back to");
    assert_eq!(world.get(live.id).await, *live);
    begin(world).await;
}

async fn everything(content: &dyn Portable) -> (Vec<Vec<Row>>, Vec<(Row, Vec<Row>)>) {
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(all(content, table).await);
    }
    (tables, log(content).await)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}
