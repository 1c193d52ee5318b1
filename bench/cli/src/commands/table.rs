//! Lines of figures, printed as they come: for people, as CSV, as JSON.

use std::borrow::Cow;

use clap::ValueEnum;
use serde_json::{Map, Number, Value};

/// How lines of figures are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Columns for people.
    #[default]
    Table,
    /// Comma-separated values under a line of names.
    Csv,
    /// An array of objects.
    Json,
}

/// A column: its name, which tells the unit, and how wide it is in a table.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: Cow<'static, str>,
    pub width: usize,
}

/// What stands in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String),
    /// A number and how many decimals of it count.
    Number(f64, usize),
    /// There is no such figure here.
    Nothing,
}

impl Cell {
    fn text(&self, nothing: &str) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(number, decimals) => format!("{number:.decimals$}"),
            Cell::Nothing => nothing.to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Text(text) => Value::String(text.clone()),
            // As a number with just the decimals that count.
            Cell::Number(..) => self.text("").parse::<Number>().map_or(Value::Null, Value::Number),
            Cell::Nothing => Value::Null,
        }
    }
}

/// Prints lines under one set of columns.
pub struct Printer<'a> {
    format: TableFormat,
    columns: &'a [Column],
    lines: usize,
}

impl<'a> Printer<'a> {
    pub fn start(format: TableFormat, columns: &'a [Column]) -> Self {
        let names = columns.iter().map(|column| &*column.name);
        match format {
            TableFormat::Table => {
                let names = columns.iter().map(|c| format!("{:>1$}", c.name, c.width));
                say!("{}", names.collect::<Vec<_>>().join("  ").trim_end());
            }
            TableFormat::Csv => say!("{}", names.collect::<Vec<_>>().join(",")),
            TableFormat::Json => say!("["),
        }
        Printer { format, columns, lines: 0 }
    }

    pub fn line(&mut self, cells: &[Cell]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        match self.format {
            TableFormat::Table => {
                let cells = cells.iter().zip(self.columns).map(|(cell, c)| format!("{:>1$}", cell.text("-"), c.width));
                say!("{}", cells.collect::<Vec<_>>().join("  "));
            }
            TableFormat::Csv => say!("{}", cells.iter().map(|cell| cell.text("")).collect::<Vec<_>>().join(",")),
            TableFormat::Json => {
                let named = self.columns.iter().zip(cells).map(|(c, cell)| (c.name.to_string(), cell.json()));
                let object = Value::Object(named.collect::<Map<_, _>>());
                // The comma belongs to the line before, which is printed already.
                say!("{}{object}", if self.lines > 0 { "," } else { "" });
            }
        }
        self.lines += 1;
    }

    pub fn finish(self) {
        if self.format == TableFormat::Json {
            say!("]");
        }
    }
}
