//! The wire of Handstamp: types, paths and error codes. serde only.
