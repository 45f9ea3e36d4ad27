//! What went wrong, as a page for people.

use askama::Template;
use axum::response::{IntoResponse, Response};
use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::data::DataError;
use http::StatusCode;

use super::frame::page;
use crate::routes::admin;

/// Why a page cannot be shown, or what was posted not be done.
pub(super) enum Stop {
    /// To an operator.
    Operator(Problem),
    /// To the holder of a session.
    Holder(Problem),
    /// A page could not be rendered.
    Template(askama::Error),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Operator(problem)
    }
}

impl From<SessionRejection> for Stop {
    fn from(error: SessionRejection) -> Self {
        Self::Operator(error.problem())
    }
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        Self::Operator(admin::problem(error))
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Operator(SessionRejection::from(error).problem())
    }
}

impl From<askama::Error> for Stop {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

impl Stop {
    /// The same, told to the holder of a session rather than to an operator.
    pub(super) fn for_holder(self) -> Self {
        match self {
            Self::Operator(problem) => Self::Holder(problem),
            other => other,
        }
    }
}

/// What the page says.
#[derive(Template)]
#[template(path = "stop.html")]
struct Page<'a> {
    title: &'static str,
    said: &'a str,
    /// What an operator types to go on.
    command: Option<&'static str>,
    link: Option<(&'static str, &'static str)>,
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        let problem = match &self {
            Self::Operator(problem) | Self::Holder(problem) => problem,
            Self::Template(error) => {
                tracing::error!("a page cannot be rendered: {error}");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let shown = match &self {
            Self::Holder(_) => to_holder(problem),
            _ => to_operator(problem),
        };
        match page(&shown) {
            Ok(body) => (problem.status(), body).into_response(),
            Err(_) => problem.status().into_response(),
        }
    }
}

const HOME: Option<(&str, &str)> = Some(("/admin", "To the overview"));
const MINE: Option<(&str, &str)> = Some(("/account/sessions", "To your devices"));

fn to_operator(problem: &Problem) -> Page<'_> {
    const NEW_LINK: Option<&str> = Some("handstamp dashboard");
    match (problem.status().as_u16(), problem.code()) {
        (401, _) => Page {
            title: "Sign in as an operator",
            said: "Open the link that the service printed when it started. It is good once and for \
                   ten minutes; this command prints a new one:",
            command: NEW_LINK,
            link: None,
        },
        (_, "STEP_UP_REQUIRED") => Page {
            title: "Is it still you?",
            said: "You signed in a while ago, and operators must have signed in lately. This \
                   command prints a new link:",
            command: NEW_LINK,
            link: None,
        },
        (_, "FORBIDDEN") => Page {
            title: "For operators only",
            said: "You are signed in, but not as an operator. Your own devices are on a page of \
                   their own; an operator opens the link that this command prints:",
            command: NEW_LINK,
            link: MINE,
        },
        _ => anybody(problem, HOME),
    }
}

fn to_holder(problem: &Problem) -> Page<'_> {
    let reason = problem.member("reason").and_then(|reason| reason.as_str());
    let said = match (problem.status().as_u16(), reason) {
        (401, Some(reason)) => super::wording::ended_for_holder(reason),
        (401, None) if problem.code() == "SESSION_SUSPENDED" => {
            "Your session is set aside. Confirm in the application that it is you."
        }
        (401, None) => "Sign in to the application in this browser, then come back.",
        _ => return anybody(problem, MINE),
    };
    Page { title: "You are not signed in here", said, command: None, link: None }
}

fn anybody<'a>(problem: &'a Problem, link: Option<(&'static str, &'static str)>) -> Page<'a> {
    let (title, said) = match (problem.status().as_u16(), problem.code()) {
        (_, "CSRF_INVALID") => (
            "That form was not ours",
            "It did not come from a page that you opened here lately, so nothing was done. Load \
             the page again and press the button once more.",
        ),
        (404, _) => ("There is no such thing", "It may have been removed since, or never was."),
        (409, _) => ("Somebody was faster", "Load the page again to see what stands there now."),
        (503, _) => (
            "The store is out of reach",
            "Nothing can be shown or changed just now; try again in a moment.",
        ),
        (400..500, _) => ("That did not fit", problem.detail()),
        _ => ("Something went wrong here", "The log of the service tells more."),
    };
    Page { title, said, command: None, link }
}
