//! WebSockets that carry the session: whereto, how long, and through what.

mod life;
mod opening;
mod peer;
