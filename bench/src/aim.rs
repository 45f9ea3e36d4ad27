//! What was to be reached, and by how much it was or was not.

use std::fmt;

use serde::Serialize;

/// One aim.
#[derive(Serialize)]
pub(crate) struct Aim {
    what: String,
    measured: f64,
    bound: f64,
    unit: &'static str,
    is_at_most: bool,
    is_reached: bool,
}

impl Aim {
    pub(crate) fn at_most(
        what: impl Into<String>,
        measured: f64,
        bound: f64,
        unit: &'static str,
    ) -> Self {
        let is_reached = measured <= bound;
        Self { what: what.into(), measured, bound, unit, is_at_most: true, is_reached }
    }

    pub(crate) fn at_least(
        what: impl Into<String>,
        measured: f64,
        bound: f64,
        unit: &'static str,
    ) -> Self {
        let is_reached = measured >= bound;
        Self { what: what.into(), measured, bound, unit, is_at_most: false, is_reached }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_at_most { "≤" } else { "≥" };
        let verdict = if self.is_reached { "reached" } else { "MISSED " };
        let (what, measured, bound, unit) = (&self.what, self.measured, self.bound, self.unit);
        write!(f, "{verdict}  {what}: {measured:.2} {unit} (aim {sign} {bound} {unit})")?;
        if !self.is_reached {
            write!(f, ", by {:.2} {unit}", (measured - bound).abs())?;
        }
        Ok(())
    }
}
