//! The store on SQLite: what no other store can show, and the contract.

mod damage;
mod durable;
mod fixture;
mod full;
mod open;
mod panic;
