//! A budget term by term.

use std::borrow::Cow;
use std::fmt;

/// What a line has to do with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Added to what stands above it.
    Term,
    /// The sum of every term above it.
    Sum,
    /// Told for the reader; it is in no sum.
    Note,
}

/// One line of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is.
    pub name: Cow<'static, str>,
    /// How much; losses are below zero.
    pub value: f64,
    /// In which unit: dB and the like for terms and sums, any for notes.
    pub unit: &'static str,
    /// Whether it adds or sums up.
    pub role: Role,
}

/// A budget term by term, in the order in which it is worked out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    lines: Vec<Line>,
    sum: f64,
}

impl Lines {
    pub(super) fn note(&mut self, name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) {
        self.lines.push(Line { name: name.into(), value, unit, role: Role::Note });
    }

    pub(super) fn term(&mut self, name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) {
        // A loss of nothing is not told as minus nothing.
        let value = value + 0.0;
        self.sum += value;
        self.lines.push(Line { name: name.into(), value, unit, role: Role::Term });
    }

    pub(super) fn sum(&mut self, name: impl Into<Cow<'static, str>>, unit: &'static str) -> f64 {
        self.lines.push(Line { name: name.into(), value: self.sum, unit, role: Role::Sum });
        self.sum
    }

    /// The lines.
    pub fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// The value in dB of the term or sum of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.lines.iter().find(|line| line.name == name && line.role != Role::Note).map(|line| line.value)
    }
}

/// A table with a line each: `+` before terms, `=` before sums, nothing before notes; two decimals.
impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        for line in &self.lines {
            let sign = match line.role {
                Role::Term => '+',
                Role::Sum => '=',
                Role::Note => ' ',
            };
            let Line { name, value, unit, .. } = line;
            writeln!(f, "{sign} {name:width$}  {value:>16.2} {unit}")?;
        }
        Ok(())
    }
}
