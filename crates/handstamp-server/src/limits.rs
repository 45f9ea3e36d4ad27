//! How often one source may ask: by GCRA, told in the standard headers.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use handstamp_axum::problem::Problem;
use http::StatusCode;

use crate::settings::{self, Rate};

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limited {
    /// Sessions begun and failures told, by service key.
    Begin,
    /// Guest sessions, by address.
    Guest,
    /// Refreshes, by session: many holders may come from one address.
    Refresh,
}

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock>;

/// One limit; none where it is switched off.
struct Limit {
    name: &'static str,
    rate: Rate,
    limiter: Limiter,
}

/// Every limit of the service.
pub(crate) struct Limits {
    begin: Option<Limit>,
    guest: Option<Limit>,
    refresh: Option<Limit>,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

impl Limits {
    pub(crate) fn new(settings: &settings::Limits) -> Self {
        let limit = |name, rate: &Option<Rate>| rate.and_then(|rate| Limit::new(name, rate));
        Self {
            begin: limit("begin", &settings.begin),
            guest: limit("guest", &settings.guest),
            refresh: limit("refresh", &settings.refresh),
        }
    }

    /// Counts one of `what` from `source`.
    ///
    /// # Errors
    /// 429 `RATE_LIMITED` with `Retry-After` and the RateLimit fields when there were too many.
    pub(crate) fn check(&self, what: Limited, source: &str) -> Result<(), Problem> {
        let limit = match what {
            Limited::Begin => &self.begin,
            Limited::Guest => &self.guest,
            Limited::Refresh => &self.refresh,
        };
        limit.as_ref().map_or(Ok(()), |limit| limit.check(source))
    }

    /// Forgets sources that have been quiet long enough to have their whole quota again.
    pub(crate) fn tidy(&self) {
        for limit in [&self.begin, &self.guest, &self.refresh].into_iter().flatten() {
            limit.limiter.retain_recent();
        }
    }
}

impl Limit {
    fn new(name: &'static str, rate: Rate) -> Option<Self> {
        let count = NonZeroU32::new(rate.count)?;
        let period = (rate.window / rate.count).max(Duration::from_nanos(1));
        let quota = Quota::with_period(period)?.allow_burst(count);
        Some(Self { name, rate, limiter: RateLimiter::hashmap(quota) })
    }

    fn check(&self, source: &str) -> Result<(), Problem> {
        let Err(wait) = self.limiter.check_key(&source.to_owned()) else { return Ok(()) };
        let wait = wait.wait_time_from(DefaultClock::default().now());
        Err(self.problem(wait))
    }

    /// STANDARDS of HTTP: RFC 6585 §4, and the RateLimit fields as RFC 9651 lists.
    fn problem(&self, wait: Duration) -> Problem {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = seconds.max(1);
        let Self { name, rate, .. } = self;
        let policy = format!("\"{name}\";q={};w={}", rate.count, rate.window.as_secs());
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too many requests")
            .of_type("https://iana.org/assignments/http-problem-types#quota-exceeded")
            .with("violated-policies", serde_json::json!([name]))
            .retry_after(seconds)
            .header("ratelimit-policy", policy)
            .header("ratelimit", format!("\"{name}\";r=0;t={seconds}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(guest: Option<Rate>) -> Limits {
        let guest = guest.and_then(|rate| Limit::new("guest", rate));
        Limits { begin: None, guest, refresh: None }
    }

    #[test]
    fn s93_a_source_has_its_quota_and_hears_when_it_may_come_again() {
        let limits = limits(Some(Rate { count: 3, window: Duration::from_secs(60) }));
        for _ in 0..3 {
            assert!(limits.check(Limited::Guest, "192.0.2.1").is_ok());
        }
        let problem = limits.check(Limited::Guest, "192.0.2.1").unwrap_err();
        let answer = problem.respond::<String>();
        assert_eq!(answer.status().as_u16(), 429);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("ratelimit-policy"), "\"guest\";q=3;w=60");
        let wait: u64 = header("retry-after").parse().unwrap();
        assert!((1..=20).contains(&wait), "{wait}");
        assert_eq!(header("ratelimit"), format!("\"guest\";r=0;t={wait}"));
        assert!(answer.body().contains("quota-exceeded"));
        assert!(limits.check(Limited::Guest, "192.0.2.2").is_ok(), "another source has its own");
    }

    #[test]
    fn what_is_switched_off_never_refuses() {
        let limits = limits(None);
        assert!((0..1000).all(|_| limits.check(Limited::Begin, "k").is_ok()));
    }
}
