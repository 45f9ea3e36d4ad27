//! Handstamp for services that only check: access tokens, their keys, and the revocation feed.
