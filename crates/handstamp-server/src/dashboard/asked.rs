//! What the form of the list asks for. Fields that are left empty ask for nothing.

use handstamp_axum::problem::Problem;
use handstamp_core::store::Filter;
use handstamp_protocol::Time;
use handstamp_protocol::admin::SessionFilter;
use handstamp_protocol::sessions::Kind;

use crate::body::out_of_range;
use crate::routes::admin::filter;

/// The fields, as they stand in the form.
#[derive(Clone, Default, Debug)]
pub(super) struct Asked {
    fields: Vec<(String, String)>,
    /// Sessions that are ticked.
    pub(super) ids: Vec<String>,
    /// Where the page begins.
    pub(super) cursor: Option<String>,
}

impl Asked {
    /// Reads a query.
    pub(super) fn read(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            match &*name {
                _ if value.is_empty() => {}
                "ids" => asked.ids.push(value.to_owned()),
                "cursor" => asked.cursor = Some(value.to_owned()),
                _ => asked.fields.push((name.into_owned(), value.to_owned())),
            }
        }
        asked
    }

    /// What stands in a field.
    pub(super) fn get(&self, field: &str) -> &str {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a field asks for this.
    pub(super) fn is(&self, field: &str, value: &str) -> bool {
        self.get(field) == value
    }

    /// Whether it asks for nothing, so that everybody is meant.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether all that match may be ended together: some are left out, and not all are over.
    pub(super) fn may_end(&self) -> bool {
        let is_narrow = self.fields.iter().any(|(name, _)| name != "active");
        is_narrow && !self.is("active", "false")
    }

    /// Whether it asks for something that only a closer look needs.
    pub(super) fn is_detailed(&self) -> bool {
        let usual = ["subject", "active", "ip"];
        self.fields.iter().any(|(name, _)| !usual.contains(&&**name))
    }

    /// The query, without the page.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.fields);
        query.extend_pairs(self.ids.iter().map(|id| ("ids", id)));
        query.finish()
    }

    /// The query of the page that begins at `cursor`.
    pub(super) fn with_cursor(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.fields).append_pair("cursor", cursor);
        query.finish()
    }

    /// As the API takes it.
    ///
    /// # Errors
    /// 422 for a value that names nothing.
    pub(super) fn wire(&self) -> Result<SessionFilter, Problem> {
        let mut filter = SessionFilter::default();
        for (name, value) in &self.fields {
            let text = || Some(value.clone());
            match &**name {
                "subject" => filter.subject = text(),
                "id" => filter.id = text(),
                "kind" => filter.kind = Some(Kind::from(&**value)),
                "active" => filter.active = Some(value == "true"),
                "ip" => {
                    let ip = value.parse().map_err(|_| out_of_range("ip", "not an address"))?;
                    filter.ip = Some(ip);
                }
                "device" => filter.device = text(),
                "country" => filter.country = Some(value.to_ascii_uppercase()),
                "role" => filter.role = text(),
                "created_after" => filter.created_after = Some(time(name, value)?),
                "created_before" => filter.created_before = Some(time(name, value)?),
                "seen_after" => filter.seen_after = Some(time(name, value)?),
                "seen_before" => filter.seen_before = Some(time(name, value)?),
                _ => return Err(out_of_range(name, "not a filter of this list")),
            }
        }
        Ok(filter)
    }

    /// The time in a field, if any stands there.
    ///
    /// # Errors
    /// 422 for what is no time.
    pub(super) fn time(&self, field: &str) -> Result<Option<Time>, Problem> {
        match self.get(field) {
            "" => Ok(None),
            value => time(field, value).map(Some),
        }
    }

    /// As the store takes it.
    ///
    /// # Errors
    /// 422 for a value that names nothing.
    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        filter::sessions(self.wire()?)
    }
}

/// A time as browsers write it in a form, to the minute or the second, in UTC; or as the API does.
fn time(field: &str, value: &str) -> Result<Time, Problem> {
    let written = match value.len() {
        16 => format!("{value}:00Z"),
        19 => format!("{value}Z"),
        _ => value.to_owned(),
    };
    written.parse().map_err(|_| out_of_range(field, "not a time like 2026-01-31T12:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_left_empty_ask_for_nothing() {
        let asked = Asked::read("subject=&ip=+&active=true&cursor=&ids=a&ids=b");
        assert_eq!(
            asked.wire().unwrap(),
            SessionFilter { active: Some(true), ..Default::default() }
        );
        assert_eq!((asked.ids.len(), asked.cursor.is_none()), (2, true));
        let asked = Asked::read("subject=&kind=");
        assert!(!asked.may_end() && asked.query().is_empty());
    }

    #[test]
    fn a_query_reads_back() {
        let asked = Asked::read("subject=a%26b&country=de");
        assert_eq!(asked.query(), "subject=a%26b&country=de");
        assert_eq!(asked.with_cursor("x=y"), "subject=a%26b&country=de&cursor=x%3Dy");
        assert_eq!(asked.wire().unwrap().country.as_deref(), Some("DE"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for query in ["ip=home", "seen_after=yesterday", "colour=red"] {
            assert_eq!(Asked::read(query).wire().unwrap_err().status().as_u16(), 422, "{query}");
        }
        let asked = Asked::read("created_after=2026-01-31T12:00");
        let after = asked.wire().unwrap().created_after.unwrap();
        assert_eq!(after.to_string(), "2026-01-31T12:00:00.000Z");
    }
}
