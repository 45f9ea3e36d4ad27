//! Session cookies: found in a request without copying, written by RFC 6265bis.

mod read;
mod write;

pub use read::{Found, find};
pub use write::{CookieError, SetCookie, removed_session_cookie, session_cookie};
