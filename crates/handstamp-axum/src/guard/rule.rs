//! What a guard may want of a session.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::{Session, SessionError};
use http::request::Parts;

use crate::csrf::check_header;
use crate::negotiate::wants_page;
use crate::rejection::SessionRejection;
use crate::return_to::ReturnTo;
use crate::site::changes_something;
use crate::slot::SessionSlot;

/// One demand on a request.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    User,
    Role(Arc<str>),
    Permission(Arc<str>),
    Fresh(Duration),
    Csrf,
}

/// A request as a rule sees it.
pub(crate) struct Case<'a> {
    pub(crate) session: &'a Session,
    pub(crate) slot: &'a SessionSlot,
    pub(crate) head: &'a Parts,
}

impl Rule {
    pub(crate) fn judge(&self, case: &Case<'_>) -> Result<(), SessionRejection> {
        match self {
            Self::User => case.user(),
            Self::Role(name) => case.role(name),
            Self::Permission(name) => case.may(case.session.has_permission(name)),
            Self::Fresh(age) => case.fresh(*age),
            Self::Csrf if changes_something(&case.head.method) => {
                check_header(case.session, &case.head.headers)
            }
            Self::Csrf => Ok(()),
        }
    }
}

impl Case<'_> {
    pub(crate) fn user(&self) -> Result<(), SessionRejection> {
        if self.session.is_authenticated() { Ok(()) } else { Err(self.sign_in()) }
    }

    pub(crate) fn role(&self, name: &str) -> Result<(), SessionRejection> {
        self.may(self.session.has_role(name))
    }

    /// Who is signed in and may not is told so; who is not may yet be somebody who may.
    fn may(&self, may: bool) -> Result<(), SessionRejection> {
        if may { Ok(()) } else { self.user().and(Err(SessionRejection::Forbidden)) }
    }

    pub(crate) fn fresh(&self, max_age: Duration) -> Result<(), SessionRejection> {
        self.user()?;
        if self.session.is_fresh(max_age) {
            return Ok(());
        }
        let to = self.redirect(self.slot.options().step_up.as_deref());
        Err(SessionRejection::StepUp { max_age, to })
    }

    fn sign_in(&self) -> SessionRejection {
        let refused = self.session.refusal().map(SessionError::from);
        let error = refused.unwrap_or(SessionError::Unauthenticated);
        let to = self.redirect(self.slot.options().sign_in.as_deref());
        SessionRejection::SignIn { error, to }
    }

    /// The address of `page` with the way back, if a person waits for a page and is not on that
    /// very one.
    fn redirect(&self, page: Option<&str>) -> Option<String> {
        let here = self.slot.path();
        let page = page.filter(|page| here.is_none_or(|here| here.path() != *page))?;
        wants_page(self.head).then(|| ReturnTo::link(page, here))
    }
}
