//! The suite that tests a store against the contract, one function per clause.
