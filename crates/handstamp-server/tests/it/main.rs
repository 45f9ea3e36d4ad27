//! The service over HTTP, on port 0, on the embedded store, asked by a real client.

mod webhooks;
