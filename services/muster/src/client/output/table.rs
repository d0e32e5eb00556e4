//! Plain columns, as wide as their content, coloured after they were laid out.

use super::{Screen, style::Tone};
use crate::client::error::CliError;

/// Columns are apart by two spaces.
const GAP: &str = "  ";

pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: clean(&text.into()), tone: Some(tone) }
    }

    pub(crate) fn painted(&self, screen: &Screen) -> String {
        self.tone.map_or_else(|| self.text.clone(), |tone| screen.paint(tone, &self.text))
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: clean(&text.into()), tone: None }
    }
}

/// Texts of others must not move our cursor or fake our lines.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| Cell::toned(Tone::Strong, *heading)).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    pub(crate) fn render(&self, screen: &Screen) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<Cell>| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = " ".repeat(width - cell.text.chars().count());
                line.push_str(&format!("{}{padding}{GAP}", cell.painted(screen)));
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    /// Prints it, or the sentence for nothing.
    pub(crate) fn print(&self, screen: &Screen, nothing: &str) -> Result<(), CliError> {
        if self.is_empty() { screen.line(nothing) } else { screen.lines(&self.render(screen)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Format;

    #[test]
    fn columns_line_up_and_foreign_text_stays_in_its_cell() {
        let mut table = Table::new(&["NAME", "TIER"]);
        table.row(["orders-db".into(), "1".into()]);
        table.row(["x\n\x1b[2Jy".into(), "2".into()]);
        let lines = table.render(&Screen::new(Format::Table));
        assert_eq!(lines, ["NAME       TIER", "orders-db  1", "x  [2Jy    2"]);
    }
}
