//! What the program prints on stdout: texts, tables, JSON.

use std::io::{self, Write};

use crate::failure::Failure;

/// Writes all of it. A reader that has seen enough is no failure.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::because("cannot write to stdout", &error))
        }
        _ => Ok(()),
    }
}

/// Writes all of it; a reader that goes away before is a failure.
#[cfg(feature = "serve")]
pub(crate) fn print_all(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| Failure::because("cannot write to stdout", &error))
}

#[cfg(any(feature = "holder", feature = "serve"))]
pub(crate) use with_tables::{Table, json, line};

#[cfg(any(feature = "holder", feature = "serve"))]
mod with_tables {
    use std::io::IsTerminal;

    use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, TableStyle};
    use serde_json::Value as Json;

    use super::print;
    use crate::failure::Failure;

    /// A line under the heads, and no other.
    const STYLE: TableStyle =
        TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

    /// Prints a line.
    pub(crate) fn line(line: &str) -> Result<(), Failure> {
        print(format!("{line}\n").as_bytes())
    }

    /// Prints JSON, for programs.
    pub(crate) fn json(value: &Json) -> Result<(), Failure> {
        line(&format!("{value:#}"))
    }

    /// Rows under heads: with lines on a terminal, plain in a pipe.
    pub(crate) struct Table<const N: usize> {
        heads: [&'static str; N],
        rows: Vec<[String; N]>,
    }

    impl<const N: usize> Table<N> {
        pub(crate) const fn new(heads: [&'static str; N]) -> Self {
            Self { heads, rows: Vec::new() }
        }

        pub(crate) fn row(&mut self, cells: [String; N]) {
            self.rows.push(cells);
        }

        /// Prints the table.
        pub(crate) fn print(&self) -> Result<(), Failure> {
            let is_terminal = std::io::stdout().is_terminal();
            let text = if is_terminal { self.drawn(terminal_width()) } else { self.plain() };
            print(text.as_bytes())
        }

        /// As wide as the terminal, cells broken where they do not fit.
        fn drawn(&self, width: Option<u16>) -> String {
            let mut table = comfy_table::Table::new();
            table.load_style(STYLE);
            table.set_header(self.heads);
            table.add_rows(&self.rows);
            // What a row is about is never broken.
            if let Some(first) = table.column_mut(0) {
                first.set_constraint(ColumnConstraint::ContentWidth);
            }
            if let Some(width) = width {
                table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
            }
            format!("{table}\n")
        }

        /// A line for each row, columns two spaces apart: for `grep`, `awk` and `column`.
        fn plain(&self) -> String {
            let heads = self.heads.map(String::from);
            let all = || std::iter::once(&heads).chain(&self.rows);
            let widths: [usize; N] = std::array::from_fn(|column| {
                all().map(|row| row[column].chars().count()).max().unwrap_or(0)
            });
            let mut text = String::new();
            for row in all() {
                let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
                text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
                text.push('\n');
            }
            text
        }
    }

    #[cfg(unix)]
    fn terminal_width() -> Option<u16> {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
        (size.ws_col > 0).then_some(size.ws_col)
    }

    #[cfg(not(unix))]
    fn terminal_width() -> Option<u16> {
        None
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn table() -> Table<2> {
            let mut table = Table::new(["setting", "value"]);
            table.row(["a".into(), "one two three".into()]);
            table.row(["längeres".into(), String::new()]);
            table
        }

        #[test]
        fn in_a_pipe_columns_are_aligned_and_nothing_trails() {
            assert_eq!(table().plain(), "setting   value\na         one two three\nlängeres\n");
        }

        #[test]
        fn on_a_terminal_it_is_as_wide_as_that() {
            let drawn = table().drawn(Some(20));
            assert!(drawn.lines().all(|line| line.chars().count() <= 20), "{drawn}");
            assert!(drawn.contains("─"), "{drawn}");
        }
    }
}
