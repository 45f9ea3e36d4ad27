//! The session service of Handstamp as a library.
