use super::*;
use crate::event::{Action, Personal};
use crate::id::{EventId, Subject};
use crate::time::Timestamp;

fn event(number: u64) -> Event {
    let id = EventId::from_bytes([u8::try_from(number).unwrap(); 16]);
    let mut event = Event::new(id, Timestamp::from_millis(9), Action::SessionStarted, [3; 16]);
    event.set_personal(Personal { identifier: Some("x".into()), ..Personal::default() });
    event.subject =
        Some(Subject::new(if number.is_multiple_of(2) { "even" } else { "odd" }).unwrap());
    (event.writer, event.number) = (1, number);
    event
}

fn sealer() -> Sealer {
    Sealer::new(KeyRing::generate().unwrap())
}

/// Batches of these events, two in each.
fn sealed(sealer: &Sealer, events: &[Event]) -> Vec<SealedBatch> {
    let mut before = Link::START;
    let batch = |(number, events): (u64, &[Event])| {
        let (key_id, link) = sealer.seal(&before, events);
        before = link;
        SealedBatch { writer: 1, number, key_id, link, events: events.to_vec() }
    };
    (1..).zip(events.chunks(2)).map(batch).collect()
}

/// Four batches of two events.
fn chain(sealer: &Sealer) -> Vec<SealedBatch> {
    sealed(sealer, &(1..=8).map(event).collect::<Vec<_>>())
}

fn first_bad(sealer: &Sealer, chain: &[SealedBatch]) -> Option<(u64, u64, Flaw)> {
    let broken = verify_chain(sealer, 0, Link::START, chain).err();
    broken.map(|broken| (broken.batch, broken.event, broken.why))
}

/// Shows B06.
#[test]
fn s106_an_edited_dropped_or_reordered_event_is_found_by_its_place() {
    let sealer = sealer();
    let good = chain(&sealer);
    assert_eq!(first_bad(&sealer, &good), None);
    let bend = |bend: fn(&mut Vec<SealedBatch>)| {
        let mut chain = good.clone();
        bend(&mut chain);
        first_bad(&sealer, &chain)
    };
    let changed = |batch, event| Some((batch, event, Flaw::Changed));
    let missing = |batch, event| Some((batch, event, Flaw::Missing));
    assert_eq!(bend(|chain| chain[2].events[1].is_success = false), changed(3, 5));
    assert_eq!(bend(|chain| drop(chain[1].events.remove(0))), missing(2, 4));
    assert_eq!(bend(|chain| drop(chain[1].events.pop())), changed(2, 3), "from the end of a batch");
    assert_eq!(bend(|chain| chain[1].events.swap(0, 1)), missing(2, 4));
    assert_eq!(bend(|chain| drop(chain.remove(1))), missing(3, 5));
    assert_eq!(bend(|chain| chain.swap(1, 2)), missing(3, 5));
    assert_eq!(bend(|chain| chain[3].link.0[0] ^= 1), changed(4, 7));
    assert_eq!(
        bend(|chain| chain[1].events[1].personal = Some(Personal::default())),
        changed(2, 4)
    );
    assert_eq!(bend(|chain| chain[1].writer = 2), changed(2, 3));
    let twice = |chain: &mut Vec<SealedBatch>| chain.insert(2, chain[1].clone());
    assert_eq!(bend(twice), changed(2, 3));
}

#[test]
fn a_chain_sealed_by_another_ring_does_not_verify_and_one_by_a_retired_key_does() {
    let keys = KeyRing::generate().unwrap();
    let first = Sealer::new(keys.clone());
    let sealed = chain(&first);
    keys.retire(1).unwrap();
    assert_eq!(first_bad(&first, &sealed), None);
    assert_eq!(first_bad(&sealer(), &sealed), Some((1, 1, Flaw::Changed)));
}

fn walked(sealer: &Sealer, marks: &Marks, chain: &[SealedBatch]) -> Option<(u64, Flaw)> {
    let mut walk = Walk::new(sealer, marks, &[], 1);
    walk.step(chain).unwrap();
    walk.blank().map(|broken| (broken.event, broken.why))
}

fn mark(action: Action, whose: Option<&str>, through: u64) -> Event {
    let mut mark = Event { action, ..event(9) };
    mark.subject = whose.map(|name| Subject::new(name).unwrap());
    let end = ChainEnd { event: through, ..ChainEnd::start(1) };
    Marks::write(&[end], &mut mark.details);
    mark
}

fn marks(events: &[Event]) -> Marks {
    let mut marks = Marks::none();
    events.iter().for_each(|event| marks.add(event));
    marks
}

#[test]
fn a_blank_that_no_mark_covers_is_found() {
    let sealer = sealer();
    let mut chain = chain(&sealer);
    chain[1].events[0].blank();
    chain[2].events[1].blank();
    let found = |listed: &[Event]| walked(&sealer, &marks(listed), &chain);
    let (of_odd, of_even) = (Some("odd"), Some("even"));
    assert_eq!(found(&[]), Some((3, Flaw::Blank)));
    let odd = mark(Action::SubjectErased, of_odd, 8);
    assert_eq!(found(std::slice::from_ref(&odd)), Some((6, Flaw::Blank)), "another subject's");
    let late = mark(Action::SubjectErased, of_even, 5);
    assert_eq!(found(&[odd.clone(), late]), Some((6, Flaw::Blank)), "reaches to event 5");
    assert_eq!(found(&[odd, mark(Action::SubjectErased, of_even, 6)]), None);
    assert_eq!(found(&[mark(Action::PersonalExpired, None, 5)]), Some((6, Flaw::Blank)));
    assert_eq!(found(&[mark(Action::PersonalExpired, None, 6)]), None);
    let other = Event { action: Action::Admin("erase".into()), ..mark(Action::StepUp, None, 9) };
    assert_eq!(found(&[other]), Some((3, Flaw::Blank)), "not a mark");
}

#[test]
fn what_the_chain_says_was_erased_is_heard() {
    let sealer = sealer();
    let mut events: Vec<_> = (1..=2).map(event).collect();
    events.push(Event { number: 3, ..mark(Action::PersonalExpired, None, 2) });
    let chain = sealed(&sealer, &events);
    let none = Marks::none();
    let mut walk = Walk::new(&sealer, &none, &[], 1);
    walk.step(&chain).unwrap();
    assert_eq!(walk.heard(), &marks(&events[2..]));
    assert!(walk.heard().covers(&event(2)) && !walk.heard().covers(&event(3)));
    assert!(walk.heard().reach(&[ChainEnd { event: 2, ..ChainEnd::start(1) }]));
    assert!(!walk.heard().reach(&[ChainEnd { event: 3, ..ChainEnd::start(1) }]));
    let mut all = Marks::none();
    all.add_all(walk.heard());
    assert_eq!(&all, walk.heard());
}

fn end_of(batch: &SealedBatch) -> ChainEnd {
    let event = batch.events.last().unwrap().number;
    ChainEnd { writer: 1, batch: batch.number, event, link: batch.link }
}

#[test]
fn a_chain_goes_on_after_a_signed_cut_and_no_other() {
    let sealer = sealer();
    let chain = chain(&sealer);
    let (marks, cut) = (Marks::none(), sealer.cut(end_of(&chain[1])));
    let resumed = |cut: &Cut| {
        let mut walk = Walk::new(&sealer, &marks, &[], 1);
        walk.resume(cut).and_then(|()| walk.step(&chain[2..])).map_err(|broken| broken.why)
    };
    assert_eq!(resumed(&cut), Ok(()));
    let bent = |bend: fn(&mut Cut)| {
        let mut cut = cut;
        bend(&mut cut);
        resumed(&cut)
    };
    assert_eq!(bent(|cut| cut.end.batch = 1), Err(Flaw::Cut));
    assert_eq!(bent(|cut| cut.end.link.0[5] ^= 1), Err(Flaw::Cut));
    assert_eq!(bent(|cut| cut.end.writer = 2), Err(Flaw::Cut));
    assert_eq!(bent(|cut| cut.signature[0] ^= 1), Err(Flaw::Cut));
    assert_eq!(bent(|cut| cut.key_id = 2), Err(Flaw::Cut));
    let theirs = super::tests::sealer().cut(cut.end);
    assert_eq!(resumed(&theirs), Err(Flaw::Cut), "of another ring");
    // A link is no signature, though it comes from the same ring.
    let (key_id, link) = sealer.seal(&cut.end.link, &[]);
    assert_eq!(resumed(&Cut { signature: link.0, key_id, ..cut }), Err(Flaw::Cut));
    assert_eq!(resumed(&sealer.cut(end_of(&chain[0]))), Err(Flaw::Missing), "an older one");
}

#[test]
fn a_checkpoint_finds_a_tail_that_was_cut_off_and_a_log_that_was_written_anew() {
    let sealer = sealer();
    let (chain, marks) = (chain(&sealer), Marks::none());
    let at = Timestamp::from_millis(7);
    let points: Vec<_> =
        chain.iter().map(|batch| sealer.checkpoint(at, vec![end_of(batch)])).collect();
    let checked = |points: &[Checkpoint], chain: &[SealedBatch]| {
        let mut walk = Walk::new(&sealer, &marks, points, 1);
        let done = walk.step(chain).and_then(|()| walk.finish());
        done.map_err(|broken| (broken.batch, broken.why))
    };
    assert_eq!(checked(&points, &chain), Ok(()));
    assert_eq!(checked(&points, &chain[..3]), Err((4, Flaw::Tail)));
    assert_eq!(checked(&points[..3], &chain[..3]), Ok(()));
    let another: Vec<_> = (1..=8).map(|n| Event { is_success: n != 3, ..event(n) }).collect();
    assert_eq!(checked(&points, &sealed(&sealer, &another)), Err((2, Flaw::Rewritten)));
    let mut walk = Walk::new(&sealer, &marks, &points, 1);
    walk.resume(&sealer.cut(end_of(&chain[2]))).unwrap();
    assert_eq!((walk.step(&chain[3..]), walk.finish()), (Ok(()), Ok(())), "older ones are past");
}

#[test]
fn a_checkpoint_is_one_line_that_reads_back_and_cannot_be_bent() {
    let sealer = sealer();
    let chain = chain(&sealer);
    let made = sealer.checkpoint(Timestamp::from_millis(7), vec![end_of(&chain[3])]);
    let line = made.to_string();
    assert!(!line.contains('\n') && line.starts_with(r#"{"handstamp_checkpoint":1,"at":7,"#));
    let read: Checkpoint = line.parse().unwrap();
    assert_eq!(read, made);
    assert!(sealer.is_checkpoint(&read) && !super::tests::sealer().is_checkpoint(&read));
    let bent: Checkpoint = line.replace("\"batch\":4", "\"batch\":3").parse().unwrap();
    assert!(!sealer.is_checkpoint(&bent));
    let later: Checkpoint = line.replace("\"at\":7", "\"at\":8").parse().unwrap();
    assert!(!sealer.is_checkpoint(&later));
    for bad in ["", "{}", &line.replace("checkpoint\":1", "checkpoint\":2"), &line[1..]] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad}");
    }
}
