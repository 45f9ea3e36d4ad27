//! C28–C31: events.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::{World, is_applied};
use crate::chain::{Link, SealedBatch, verify_chain};
use crate::event::{Action, Event};
use crate::record::{EndReason, Record};
use crate::store::{EventFilter, Group, Page};

/// **C28** Events are in the log if their group was applied, numbered without gaps.
pub async fn c28_events_are_logged_with_their_change(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let record = world.record(&subject("alice"));
    let started = sample::event_of(&record, Action::SessionStarted, at(1));
    let device = sample::event_of(&record, Action::DeviceNew, at(2));
    let lost = sample::event_of(&record, Action::StepUp, at(3));
    let ended = sample::event_of(&record, Action::SessionEnded, at(4));
    let groups = vec![
        Group { events: vec![started.clone(), device.clone()], ..sample::insert(&record) },
        Group { events: vec![lost], ..sample::replace(&world.anonymous()) },
        Group { events: vec![ended.clone()], ..sample::insert(&world.anonymous()) },
    ];
    let outcomes = world.commit(groups).await;
    assert!(!is_applied(&outcomes[1]), "{outcomes:?}");
    let alone = sample::event(Action::SignInFailed, at(5));
    append(&world, vec![alone.clone()]).await;
    let logged = world.events(&EventFilter::default()).await;
    let writer = world.store.meta().writer;
    let expected: Vec<_> = [(4, alone), (3, ended), (2, device), (1, started)]
        .into_iter()
        .map(|(number, event)| Event { writer, number, ..event })
        .collect();
    assert_eq!(logged, expected, "each with every field");
    assert!(logged.iter().all(Event::is_personal_intact));
}

async fn append(world: &World, events: Vec<Event>) {
    world.store.append(events, &world.sealer).await.expect("events are appended");
}

/// **C29** `append` adds events that belong to no change.
pub async fn c29_events_can_stand_alone(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let bare = Event { actor: None, error: None, personal: None, ..failed(1) };
    append(&world, vec![failed(0), bare]).await;
    append(&world, vec![failed(2)]).await;
    append(&world, Vec::new()).await;
    let logged = world.events(&EventFilter::default()).await;
    let seen: Vec<_> = logged.iter().map(|event| (event.number, event.at)).collect();
    assert_eq!(seen, [(3, at(2)), (2, at(1)), (1, at(0))]);
    assert!(logged.iter().all(|event| event.subject.is_none() && event.session.is_none()));
    assert_eq!((&logged[1].personal, &logged[1].actor, &logged[1].error), (&None, &None, &None));
    let (changes, _) = world.changes(&crate::store::Cursor::default()).await;
    assert!(changes.is_empty(), "they change no session");
    assert_eq!(chain(&world).await.iter().map(|batch| batch.events.len()).sum::<usize>(), 3);
}

fn failed(seconds: u64) -> Event {
    Event { is_success: false, ..sample::event(Action::SignInFailed, at(seconds)) }
}

/// The batches of the store's writer, in pages of two.
async fn chain(world: &World) -> Vec<SealedBatch> {
    let (writer, mut batches) = (world.store.meta().writer, Vec::new());
    loop {
        let after = batches.last().map_or(0, |batch: &SealedBatch| batch.number);
        let page = world.store.sealed(writer, after, 2).await.expect("batches are answered");
        assert!(page.len() <= 2, "a page is no longer than asked for");
        if page.is_empty() {
            return batches;
        }
        batches.extend(page);
    }
}

/// **C30** The chain of sealed batches verifies from the start, whoever commits, across restarts.
pub async fn c30_the_chain_verifies(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let writer = world.store.meta().writer;
    let tasks: Vec<_> = (0..8)
        .map(|turn| {
            let world = world.clone();
            tokio::spawn(async move { commit_and_append(&world, turn).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(world.store.writers().await.expect("writers are answered"), [writer]);
    assert!(world.store.sealed(writer + 1, 0, 9).await.expect("an answer").is_empty());
    verifies(&world, 16).await;
    if let Some(world) = world.reopen(fixture).await {
        commit_and_append(&world, 9).await;
        let own = world.store.sealed(world.store.meta().writer, 0, 999).await;
        assert!(!own.expect("batches are answered").is_empty());
        verifies_all(&world, 18).await;
    }
}

async fn commit_and_append(world: &World, turn: u64) {
    let record = world.anonymous();
    let event = sample::event_of(&record, Action::SessionStarted, at(turn));
    world.one(Group { events: vec![event], ..sample::insert(&record) }).await;
    append(world, vec![failed(turn)]).await;
}

async fn verifies(world: &World, events: usize) {
    let batches = chain(world).await;
    let (number, _) = verify_chain(&world.sealer, 0, Link::START, &batches).expect("it verifies");
    assert_eq!(number, batches.len() as u64, "batches are numbered from 1");
    let numbers: Vec<_> =
        batches.iter().flat_map(|batch| &batch.events).map(|event| event.number).collect();
    assert_eq!(numbers, (1..=events as u64).collect::<Vec<_>>(), "every event, in order");
}

/// After a restart a store may go on with its chain or begin another one.
async fn verifies_all(world: &World, events: usize) {
    let mut count = 0;
    for writer in world.store.writers().await.expect("writers are answered") {
        let batches = world.store.sealed(writer, 0, 999).await.expect("batches are answered");
        verify_chain(&world.sealer, 0, Link::START, &batches).expect("it verifies");
        count += batches.iter().map(|batch| batch.events.len()).sum::<usize>();
    }
    assert_eq!(count, events, "nothing is lost from the chains");
}

/// **C31** Events are listed newest first, by filter, each once while others come.
pub async fn c31_events_are_listed_newest_first(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let record = world.begin(&subject("alice")).await;
    let logged = varied(&world, &record).await;
    for filter in filters(&record) {
        let expected: Vec<_> =
            logged.iter().rev().filter(|event| filter.accepts(event)).map(|it| it.id).collect();
        let seen: Vec<_> = world.events(&filter).await.iter().map(|event| event.id).collect();
        assert_eq!(seen, expected, "{filter:?}");
    }
    let (mut seen, mut page) = (Vec::new(), Page::first(2));
    loop {
        let answer = world.store.events(&EventFilter::default(), &page).await;
        let answer = answer.expect("events are answered");
        seen.extend(answer.events.iter().map(|event| event.id));
        let Some(next) = answer.next else { break };
        page.after = Some(next);
        append(&world, vec![failed(1000)]).await;
    }
    let expected: Vec<_> = logged.iter().rev().map(|event| event.id).collect();
    assert_eq!(seen, expected, "whatever was there at the start is listed once");
}

async fn varied(world: &World, record: &Record) -> Vec<Event> {
    let other = world.record(&subject("bob"));
    let bare = Event { personal: None, ..sample::event(Action::StepUp, at(5)) };
    let events = vec![
        sample::event_of(record, Action::SessionStarted, at(1)),
        sample::event_of(&other, Action::SessionStarted, at(2)),
        failed(3),
        sample::event_of(record, Action::Risk("new_country".into()), at(4)),
        bare,
        ended(record, 6, "logout"),
        ended(&other, 7, "idle"),
    ];
    append(world, events[..2].to_vec()).await;
    world.one(Group { events: events[2..5].to_vec(), ..sample::replace(record) }).await;
    append(world, events[5..].to_vec()).await;
    events
}

fn ended(record: &Record, time: u64, reason: &str) -> Event {
    let mut event = sample::event_of(record, Action::SessionEnded, at(time));
    event.details.insert("reason".into(), reason.into());
    event
}

fn filters(record: &Record) -> Vec<EventFilter> {
    let nothing = EventFilter::default;
    vec![
        nothing(),
        EventFilter { subject: record.subject.clone(), ..nothing() },
        EventFilter { session: Some(record.id), ..nothing() },
        EventFilter { actions: vec![Action::SessionStarted], ..nothing() },
        EventFilter { actions: vec![Action::Risk("new_country".into())], ..nothing() },
        EventFilter { actions: vec![Action::StepUp, Action::SessionEnded], ..nothing() },
        EventFilter { reasons: vec![EndReason::Admin, EndReason::Logout], ..nothing() },
        EventFilter { reasons: vec![EndReason::Idle], ..nothing() },
        EventFilter { ip: sample::client().ip, ..nothing() },
        EventFilter { is_success: Some(false), ..nothing() },
        EventFilter { after: Some(at(3)), ..nothing() },
        EventFilter { before: Some(at(3)), ..nothing() },
        EventFilter { session: Some(record.id), after: Some(at(4)), ..nothing() },
    ]
}
