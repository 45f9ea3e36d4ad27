//! What a type of a setting allows, in the words that the program uses too.

use super::table::Row;

/// Ends of keys, and what their numbers count.
const UNITS: [(&str, &str); 6] = [
    ("_seconds", "seconds"),
    ("_days", "days"),
    ("_bytes", "bytes"),
    ("_percent", "percent"),
    ("_kmh", "km/h"),
    ("_km", "km"),
];

/// Types that are numbers in the file.
const NUMBERS: [&str; 5] = ["Duration", "u8", "u32", "u64", "usize"];

/// The files that say what types allow.
pub(super) struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn new(texts: Vec<&'a str>) -> Self {
        Self(texts)
    }

    /// What the setting may be.
    pub(super) fn allowed(&self, row: &Row) -> Result<String, String> {
        self.of(&row.kind, row).ok_or_else(|| format!("{}: no words for `{}`", row.key, row.kind))
    }

    fn of(&self, kind: &str, row: &Row) -> Option<String> {
        if let Some(inner) = inside(kind, "Option<") {
            return Some(format!("{}, or `none`", self.of(inner, row)?));
        }
        if let Some(inner) = inside(kind, "Vec<") {
            return Some(format!("a list of {}", self.of(inner, row)?));
        }
        match kind {
            "bool" => Some("true or false".into()),
            "String" | "Secret" => Some(text(row)),
            number if NUMBERS.contains(&number) => Some(self::number(row)),
            other => self.choice(other).or_else(|| self.value(other)),
        }
    }

    /// The words of `impl Choice for …`.
    fn choice(&self, kind: &str) -> Option<String> {
        let block = self.block(&format!("impl Choice for {kind} {{"))?;
        let words: Vec<_> =
            block.split("(\"").skip(1).filter_map(|it| it.split('"').next()).collect();
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let (last, rest) = words.split_last()?;
        Some(format!("{} or {last}", rest.join(", ")))
    }

    /// The first text in `impl Value for …`, which is what `allowed` answers.
    fn value(&self, kind: &str) -> Option<String> {
        let block = self.block(&format!("impl Value for {kind} {{"))?;
        let (_, body) = block.split_once("fn allowed")?;
        let (_, rest) = body.split_once('"')?;
        let end = rest.find("\".into()")?;
        Some(rest[..end].replace("\\\"", "\""))
    }

    fn block(&self, begin: &str) -> Option<&'a str> {
        let block = self.0.iter().find_map(|text| text.split_once(begin))?.1;
        block.split("\n}").next()
    }
}

/// How the default is written in the file.
pub(super) fn literal(row: &Row) -> String {
    let (kind, default) = (row.kind.as_str(), row.default.as_str());
    let kind = inside(kind, "Option<").unwrap_or(kind);
    if kind.starts_with("Vec<") && default.is_empty() {
        return "[]".into();
    }
    let is_bare = default != "none" && (kind == "bool" || NUMBERS.contains(&kind));
    if is_bare { default.into() } else { format!("{default:?}") }
}

fn inside<'a>(kind: &'a str, begin: &str) -> Option<&'a str> {
    kind.strip_prefix(begin)?.strip_suffix('>')
}

fn number(row: &Row) -> String {
    let unit = UNITS.iter().find(|(end, _)| row.key.ends_with(end));
    let what = unit.map_or_else(|| "a whole number".into(), |(_, unit)| format!("whole {unit}"));
    match row.bounds {
        Some((least, most)) => format!("{what}, {least} to {most}"),
        None => what,
    }
}

fn text(row: &Row) -> String {
    match row.bounds {
        Some((least, most)) => format!("a text of {least} to {most} bytes"),
        None => "a text".into(),
    }
}
