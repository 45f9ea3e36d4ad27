//! Names of what a session may do.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A sorted set of role names, cheap to clone.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Roles(Arc<[Arc<str>]>);

/// A role name is empty, too long or holds a control character or comma, or there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("roles are at most 64 names of 1 to 64 bytes without commas or control characters")]
pub struct RolesError;

impl Roles {
    /// No roles.
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes these names, sorted and without repeats.
    ///
    /// # Errors
    /// [`RolesError`] for more than 64 names, or one that is empty, longer than 64 bytes or holds
    /// a comma or control character.
    pub fn new<I>(names: I) -> Result<Self, RolesError>
    where
        I: IntoIterator,
        I::Item: Into<Arc<str>>,
    {
        let mut names: Vec<Arc<str>> = names.into_iter().map(Into::into).collect();
        names.sort();
        names.dedup();
        let fits = names.len() <= 64 && names.iter().all(|name| is_name(name));
        if fits { Ok(Self(names.into())) } else { Err(RolesError) }
    }

    /// Whether `role` is among them.
    pub fn has(&self, role: &str) -> bool {
        self.0.iter().any(|name| &**name == role)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Those that are also among `allowed`.
    #[must_use]
    pub fn narrowed_by(&self, allowed: &Self) -> Self {
        Self(self.0.iter().filter(|name| allowed.has(name)).cloned().collect())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && !name.chars().any(|c| c.is_control() || c == ',')
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::<String>::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_set_that_a_head_can_only_narrow() {
        let roles = Roles::new(["editor", "admin", "editor"]).unwrap();
        assert_eq!(roles.iter().collect::<Vec<_>>(), ["admin", "editor"]);
        let head = Roles::new(["editor", "owner"]).unwrap();
        assert_eq!(roles.narrowed_by(&head), Roles::new(["editor"]).unwrap());
    }

    #[test]
    fn a_role_name_that_could_break_a_header_is_refused() {
        for bad in ["", "a,b", "a\r\nb", &"x".repeat(65)] {
            assert_eq!(Roles::new([bad]), Err(RolesError));
        }
    }
}
