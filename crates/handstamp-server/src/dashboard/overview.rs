//! The overview: how many are here, what happens, and what looks odd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{RawQuery, State};
use handstamp_core::SessionError;
use handstamp_core::ledger::{Bucket, Report};
use handstamp_core::store::{EventFilter, Page as Portion};
use handstamp_protocol::paths;

use super::asked::Asked;
use super::chain::{self, Checked};
use super::figures::{Address, Bar, Figures, Hour};
use super::frame::{Frame, page};
use super::viewer::Viewer;
use super::views::Line;
use super::{Answer, Stop};
use crate::service::Service;

/// How many of the latest events are shown.
const LATELY: usize = 12;

/// How many events are added up in one step.
const STEP: usize = 1000;

/// How long the page waits for what is not added up yet. The background does it each minute, so
/// there is more only where a great deal happens.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    range: Range,
    ranges: [Range; 3],
    live: String,
    logins: String,
    failures: String,
    users: String,
    length: String,
    hours: Vec<Hour>,
    devices: Vec<Bar>,
    countries: Vec<Bar>,
    addresses: Vec<Address>,
    chain: Option<Checked>,
    lately: Vec<Line>,
}

/// How far the figures go back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Range {
    name: &'static str,
    words: &'static str,
    back: Duration,
    bucket: Bucket,
}

const DAY: Duration = Duration::from_secs(86_400);

const RANGES: [Range; 3] = [
    Range { name: "day", words: "24 hours", back: DAY, bucket: Bucket::Hour },
    Range { name: "week", words: "7 days", back: DAY.saturating_mul(7), bucket: Bucket::Hour },
    Range { name: "month", words: "30 days", back: DAY.saturating_mul(30), bucket: Bucket::Day },
];

impl Range {
    fn of(asked: &Asked) -> Self {
        let named = RANGES.into_iter().find(|range| asked.is("range", range.name));
        named.unwrap_or(RANGES[0])
    }
}

/// `GET /admin`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer {
    let range = Range::of(&Asked::read(query.as_deref().unwrap_or_default()));
    let figures = figures(&service, range).await?;
    let (all, latest) = (EventFilter::default(), Portion::first(LATELY));
    let events = service.sessions.events(&all, &latest).await?.events;
    page(&Page {
        frame: Frame::of(&viewer, &service, "overview").live(paths::ADMIN_EVENTS),
        range,
        ranges: RANGES,
        live: figures.live(),
        logins: figures.logins(),
        failures: figures.failures(),
        users: figures.users(),
        length: figures.length(),
        hours: figures.hours(),
        devices: figures.devices(),
        countries: figures.countries(),
        addresses: figures.addresses(),
        chain: chain::lately(&service).await,
        lately: events.iter().map(Line::of).collect(),
    })
}

async fn figures(service: &Service, range: Range) -> Result<Figures, Stop> {
    let fault = |error: handstamp_core::store::StoreError| Stop::from(SessionError::from(error));
    let began = Instant::now();
    while service.ledger.roll_up(STEP).await.map_err(fault)? && began.elapsed() < PATIENCE {}
    let now = service.sessions.now();
    // The bucket that has just begun counts too.
    let until = now.plus(Duration::from_millis(1));
    let read = async |report| {
        let told = service.ledger.report(report, now.minus(range.back), until, range.bucket).await;
        told.map(|series| series.points).map_err(fault)
    };
    Ok(Figures {
        active: read(Report::Active).await?,
        logins: read(Report::Logins).await?,
        users: read(Report::Users).await?,
        durations: read(Report::Durations).await?,
        devices: read(Report::LiveDevices).await?,
        countries: read(Report::Countries).await?,
        ips: read(Report::Ips).await?,
    })
}
