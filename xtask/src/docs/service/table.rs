//! Reads `section! { … }` off the source, line by line.

/// A section of the table.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) rows: Vec<Row>,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) default: String,
    pub(super) is_by_preset: bool,
    pub(super) bounds: Option<(u64, u64)>,
    pub(super) about: String,
}

/// Every section of a file.
pub(super) fn sections(text: &str) -> Result<Vec<Section>, String> {
    let blocks = text.split("\nsection! {\n").skip(1);
    blocks.map(|block| section(block.split("\n}").next().unwrap_or(block))).collect()
}

fn section(block: &str) -> Result<Section, String> {
    let mut section = Section { name: String::new(), about: String::new(), rows: Vec::new() };
    let (mut doc, mut code) = (Vec::new(), String::new());
    for line in block.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            doc.push(words.trim());
            continue;
        }
        code = format!("{code} {line}").trim().to_owned();
        if let Some(head) = code.strip_suffix('{') {
            section.name = quoted(head).ok_or_else(|| format!("no section in `{head}`"))?.into();
            section.about = std::mem::take(&mut doc).join(" ");
            code.clear();
        } else if let Some(row) = code.strip_suffix(';') {
            let about = std::mem::take(&mut doc).join(" ");
            section.rows.push(self::row(row, about).ok_or_else(|| format!("no row in `{row}`"))?);
            code.clear();
        }
    }
    Ok(section)
}

/// `field [as key]: Type = "default" [by preset] [in least..=most]`
fn row(code: &str, about: String) -> Option<Row> {
    let (names, rest) = code.split_once(": ")?;
    let (kind, rest) = rest.split_once(" = ")?;
    let key = names.rsplit(' ').next()?;
    let default = quoted(rest)?;
    let bounds = rest.rsplit_once(" in ").and_then(|(_, bounds)| bounds.split_once("..="));
    let number = |text: &str| text.replace('_', "").parse().ok();
    Some(Row {
        key: key.into(),
        kind: kind.into(),
        default: default.into(),
        is_by_preset: rest.contains("\" by preset"),
        bounds: match bounds {
            Some((least, most)) => Some((number(least)?, number(most)?)),
            None => None,
        },
        about,
    })
}

/// The first text between quotes.
fn quoted(code: &str) -> Option<&str> {
    code.split('"').nth(1)
}
