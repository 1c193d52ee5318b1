//! Tables.

use std::fmt::Write;

use super::{Html, escape};

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    content: Html,
    /// The value behind what is shown, for programs: attribute `data-value`.
    value: Option<f64>,
}

impl Cell {
    /// A cell of text.
    pub fn text(text: &str) -> Self {
        Cell { content: Html::text(text), value: None }
    }

    /// A number as people read it, with the number itself behind it, to its last digit.
    pub fn number(value: f64, shown: &str) -> Self {
        Cell { content: Html::text(shown), value: Some(value) }
    }

    /// A cell of markup.
    pub fn html(content: Html) -> Self {
        Cell { content, value: None }
    }
}

/// A table. A column is set to the right if its name ends in `#`, which is not shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    /// A name for programs, attribute `data-row`, and the cells.
    rows: Vec<(String, Vec<Cell>)>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(caption: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Table { caption: caption.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row, which has a name for programs.
    ///
    /// # Panics
    /// If it has not as many cells as the table has columns.
    pub fn row(&mut self, name: &str, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push((name.to_owned(), cells));
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table.
    pub fn render(&self) -> Html {
        let mut html = String::from("<div class=\"scroll\"><table>\n");
        if !self.caption.is_empty() {
            let _ = writeln!(html, "<caption>{}</caption>", escape(&self.caption));
        }
        let names: Vec<(&str, bool)> =
            self.columns.iter().map(|c| c.strip_suffix('#').map_or((c.as_str(), false), |c| (c, true))).collect();
        let class = |numeric: bool| if numeric { " class=\"number\"" } else { "" };
        html.push_str("<thead><tr>");
        for (name, numeric) in &names {
            let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(*numeric), escape(name));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for (row, cells) in &self.rows {
            let _ = write!(html, "<tr data-row=\"{}\">", escape(row));
            for (cell, (name, numeric)) in cells.iter().zip(&names) {
                let _ = write!(html, "<td{} data-column=\"{}\"", class(*numeric), escape(name));
                if let Some(value) = cell.value {
                    // The shortest text that reads back as the same number.
                    let _ = write!(html, " data-value=\"{value:?}\"");
                }
                let _ = write!(html, ">{}</td>", cell.content);
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table></div>\n");
        Html::sound(html)
    }
}
