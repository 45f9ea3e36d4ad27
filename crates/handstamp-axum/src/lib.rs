//! Sessions for axum and any tower service: the layer, the extractors, cookies, CSRF, flash
//! messages and guards.
//!
//! | you want | take |
//! |---|---|
//! | sessions in a router | [`SessionLayer`] |
//! | the session in a handler | [`Session`] as an argument |
//! | it in another tower service | [`SessionSlot`] from the request's extensions |
//! | errors as answers | [`SessionRejection`] as the error type, and `?` |
//! | a form nobody else can post | [`CsrfToken`] in the template, [`CsrfForm`] in the handler |
//! | messages shown once | [`Flashes`] |
//! | only users, roles, fresh sign-ins | [`RequireUser`] and its like, or the layers in [`require`] |
//! | back to where they came from | [`ReturnTo`] |
//!
//! Nothing here keeps anything: sessions, policy and stores are [`handstamp_core`]'s.

mod answer;
mod client;
pub mod cookies;
mod csrf;
mod flash;
mod future;
mod guard;
mod layer;
mod negotiate;
mod options;
pub mod problem;
mod rejection;
mod return_to;
mod session;
pub mod site;
mod slot;

pub use csrf::{CSRF_FIELD, CSRF_HEADER, CsrfForm, CsrfToken};
pub use flash::{FlashMessage, Flashes};
pub use future::ResponseFuture;
pub use guard::{RequireFresh, RequireRole, RequireUser, RoleName, require};
pub use layer::{SessionLayer, SessionService};
pub use rejection::{FormError, SessionRejection};
pub use return_to::ReturnTo;
pub use session::Session;
pub use slot::SessionSlot;
