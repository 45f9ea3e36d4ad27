//! A way to the server that is cut: how often it is tried meanwhile, and that whoever asks afterwards is
//! answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use handstamp_core::store::{SessionStore, StoreError};
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::{Database, Loses, Proxy, shared_folder};

/// How many ask at once.
const ASKERS: u128 = 40;

/// The shortest between two tries.
const PAUSE: Duration = Duration::from_millis(50);

async fn through(proxy: &Proxy, database: &Database) -> Arc<PostgresStore> {
    let builder = PostgresStore::builder(&proxy.url(&database.url()));
    Arc::new(builder.connections(4).open().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_cut_is_tried_by_one_for_all_and_whoever_asks_afterwards_is_answered() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let store = through(&proxy, &database).await;
    for _ in 0..3 {
        proxy.loses(Loses::Way);
        let (before, begun) = (proxy.connections(), Instant::now());
        let askers: Vec<_> = (0..ASKERS).map(|_| tokio::spawn(ask(Arc::clone(&store)))).collect();
        for asker in askers {
            asker.await.unwrap();
        }
        let (tried, span) = (proxy.connections() - before, begun.elapsed());
        // Those who were at it when it was cut, and then one after each pause.
        let most = ASKERS + 1 + span.as_millis() / PAUSE.as_millis();
        println!("400 answers: {tried} tries in {span:?}");
        assert!(u128::from(tried) <= most, "{tried} tries in {span:?}");
        proxy.loses(Loses::Nothing);
        store.load(&[]).await.expect("it is asked after the way is open again");
    }
}

/// A server that takes connections and says nothing costs whoever asks one wait, however many ask.
#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_answers_all_who_ask_share_a_wait() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let builder = PostgresStore::builder(&proxy.url(&database.url()));
    let builder = builder.connections(4).patience(Duration::from_secs(1));
    let store = Arc::new(builder.open().await.unwrap());
    proxy.loses(Loses::Way);
    store.load(&[]).await.expect_err("the way is cut");
    proxy.loses(Loses::Silence);
    let begun = Instant::now();
    let asks = (0..ASKERS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.load(&[]).await.map(drop) })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap().expect_err("nothing answers");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

/// Asks ten times, and is told each time that there is no answer.
async fn ask(store: Arc<PostgresStore>) {
    for _ in 0..10 {
        let answer = store.load(&[]).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
}
