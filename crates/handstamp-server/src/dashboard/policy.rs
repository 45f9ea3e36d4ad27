//! Other limits tried out: whom would they sign out? Nothing is changed.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use handstamp_protocol::policy::DryRunRequest;

use super::asked::Asked;
use super::frame::{Frame, page};
use super::viewer::Viewer;
use super::views::Row;
use super::{Answer, Stop};
use crate::body::{Json, out_of_range};
use crate::json::Body;
use crate::risk::words::{counted, span};
use crate::routes::admin;
use crate::service::Service;

#[derive(Template)]
#[template(path = "policy.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    now: Vec<(&'static str, String)>,
    outcome: Option<Outcome>,
}

struct Outcome {
    checked: String,
    sessions: String,
    subjects: String,
    sample: Vec<Row>,
}

/// `GET /admin/ui/policy`, with the limits to try.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref().unwrap_or_default());
    let frame = Frame::of(&viewer, &service, "policy");
    let request = DryRunRequest {
        idle_seconds: number(&asked, "idle_minutes")?.map(|minutes| minutes.saturating_mul(60)),
        absolute_seconds: number(&asked, "absolute_hours")?.map(|hours| hours.saturating_mul(3600)),
        max_sessions: number(&asked, "max_sessions")?
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
    };
    let now = limits(&service);
    let outcome = match asked.is_empty() {
        true => None,
        false => {
            let Body(told) = admin::dry_run(State(service), viewer.operator, Json(request)).await?;
            Some(Outcome {
                checked: counted(told.checked, "live session"),
                sessions: counted(told.sessions, "session"),
                subjects: counted(told.subjects, "subject"),
                sample: told.sample.iter().map(Row::told).collect(),
            })
        }
    };
    page(&Page { frame, asked, now, outcome })
}

fn number(asked: &Asked, field: &str) -> Result<Option<u64>, Stop> {
    let text = Some(asked.get(field)).filter(|text| !text.is_empty());
    let number = text.map(|text| text.parse().map_err(|_| out_of_range(field, "not a number")));
    Ok(number.transpose()?)
}

/// The limits as they are.
fn limits(service: &Service) -> Vec<(&'static str, String)> {
    let config = service.sessions.config();
    let (age, idle) = config.lifetimes(false);
    let most = config.limit().map(|most| counted(most.into(), "session"));
    vec![
        ("Idle", idle.map_or_else(|| "no limit".into(), span)),
        ("Age", span(age)),
        ("For each subject", most.unwrap_or_else(|| "no limit".into())),
    ]
}
