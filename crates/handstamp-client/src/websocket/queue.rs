//! What waits for a slow application: few messages, and few bytes. Then the network waits.

use std::sync::Arc;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::message::{Incoming, Message};

/// How many messages wait before the network has to.
pub(super) const WAITING: usize = 64;

/// What is told, with its share of the bytes until it is heard.
type Entry = (Incoming, Option<OwnedSemaphorePermit>);

/// Nobody listens any more.
pub(super) struct Unheard;

/// The end where things are told. Clones are the same.
#[derive(Clone)]
pub(super) struct Told {
    queue: mpsc::Sender<Entry>,
    bytes: Arc<Semaphore>,
}

/// The end where they are heard.
pub(super) struct Waiting(mpsc::Receiver<Entry>);

/// Both ends. There is room while less than so many bytes wait; the message that comes then may go
/// beyond.
pub(super) fn queue(bytes: usize) -> (Told, Waiting) {
    let (queue, waiting) = mpsc::channel(WAITING);
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX) as usize;
    let bytes = Arc::new(Semaphore::new(bytes.clamp(1, Semaphore::MAX_PERMITS)));
    (Told { queue, bytes }, Waiting(waiting))
}

impl Told {
    /// Waits until there is room for a message.
    pub(super) async fn room(&self) -> Result<(), Unheard> {
        let _place = self.queue.reserve().await.map_err(|_| Unheard)?;
        let _byte = self.bytes.acquire().await.map_err(|_| Unheard)?;
        Ok(())
    }

    /// Whether there is room now.
    pub(super) fn has_room(&self) -> bool {
        self.queue.capacity() > 0 && self.bytes.available_permits() > 0
    }

    /// Hands a message over for which there is room.
    pub(super) fn message(&self, message: Message) -> Result<(), Unheard> {
        let share = message.len().min(self.bytes.available_permits());
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.bytes).try_acquire_many_owned(share).ok();
        self.queue
            .try_send((Incoming::Message(message), share))
            .map_err(|_: TrySendError<_>| Unheard)
    }

    /// Tells what happened to the connection, once there is a place for it.
    pub(super) async fn tell(&self, incoming: Incoming) -> Result<(), Unheard> {
        self.queue.send((incoming, None)).await.map_err(|_| Unheard)
    }

    /// Waits until nobody listens any more.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }
}

impl Waiting {
    /// What was told next; nothing once nobody tells any more.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        self.0.recv().await.map(|(incoming, _)| incoming)
    }

    /// Whether nobody tells any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_room(told: &Told) -> bool {
        let room = told.room().now_or_never().is_some();
        assert_eq!(room, told.has_room());
        room
    }

    #[tokio::test]
    async fn a13_a_slow_application_is_not_buried_in_large_messages() {
        let (told, mut waiting) = queue(100);
        for _ in 0..2 {
            assert!(is_room(&told));
            assert!(told.message(Message::Binary(vec![0; 60])).is_ok());
        }
        assert!(!is_room(&told), "120 bytes wait");
        waiting.next().await;
        assert!(is_room(&told));
        assert!(told.message(Message::Text("x".repeat(1000))).is_ok(), "one may go beyond");
        assert!(!is_room(&told));
        for _ in 0..2 {
            waiting.next().await;
        }
        assert!(is_room(&told));
    }

    #[tokio::test]
    async fn a13_nor_in_many_small_ones() {
        let (told, mut waiting) = queue(usize::MAX);
        for _ in 0..WAITING {
            assert!(told.message("".into()).is_ok());
        }
        assert!(!is_room(&told));
        waiting.next().await;
        assert!(is_room(&told));
        drop(waiting);
        assert!(told.room().await.is_err() && told.message("".into()).is_err());
    }
}
