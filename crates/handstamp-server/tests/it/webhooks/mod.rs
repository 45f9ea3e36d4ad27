//! Webhooks against receivers of our own on port 0, with a clock that is set by hand.

mod addresses;
mod crashes;
mod deliver;
mod journal;
mod leaks;
mod logs;
mod manage;
mod names;
mod receiver;
mod recovery;
mod retries;
mod slow;
mod world;
