//! A description as a tree in text.

/// Columns that a line is kept within, where its words allow.
pub const COLUMNS: usize = 100;

/// Width of a field's name, so that values stand in one column.
const NAME: usize = 14;

/// A heading, fields and further lines under it, and branches.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    heading: String,
    lines: Vec<Line>,
    branches: Vec<Tree>,
}

#[derive(Clone, Debug)]
enum Line {
    Field(&'static str, String),
    Verbatim(String),
}

impl Tree {
    /// A tree of one line.
    pub fn new(heading: impl Into<String>) -> Self {
        Tree { heading: heading.into(), ..Tree::default() }
    }

    /// Adds a name and a value; a long value is wrapped.
    pub fn field(&mut self, name: &'static str, value: impl Into<String>) -> &mut Self {
        self.lines.push(Line::Field(name, value.into()));
        self
    }

    /// Adds lines that stand as they are, indented.
    pub fn verbatim(&mut self, lines: impl IntoIterator<Item = String>) -> &mut Self {
        self.lines.extend(lines.into_iter().map(Line::Verbatim));
        self
    }

    /// Adds a branch.
    pub fn branch(&mut self, branch: Tree) -> &mut Self {
        self.branches.push(branch);
        self
    }

    /// The lines of the tree.
    pub fn render(&self) -> Vec<String> {
        let mut out = Vec::new();
        for line in wrap(&self.heading, COLUMNS) {
            out.push(line);
        }
        self.render_under("", &mut out);
        out
    }

    fn render_under(&self, indent: &str, out: &mut Vec<String>) {
        let bar = if self.branches.is_empty() { "   " } else { "│  " };
        for line in &self.lines {
            match line {
                Line::Verbatim(text) => out.push(format!("{indent}{bar}  {text}").trim_end().to_owned()),
                Line::Field(name, value) => {
                    let room = COLUMNS.saturating_sub(indent.chars().count() + bar.chars().count() + NAME + 1);
                    for (n, part) in wrap(value, room.max(20)).into_iter().enumerate() {
                        let name = if n == 0 { name } else { &"" };
                        out.push(format!("{indent}{bar}{name:NAME$} {part}").trim_end().to_owned());
                    }
                }
            }
        }
        for (n, branch) in self.branches.iter().enumerate() {
            let last = n + 1 == self.branches.len();
            let room = COLUMNS.saturating_sub(indent.chars().count() + 3);
            for (n, part) in wrap(&branch.heading, room.max(20)).into_iter().enumerate() {
                let stem = match (n, last) {
                    (0, false) => "├─ ",
                    (0, true) => "└─ ",
                    (_, false) => "│  ",
                    (_, true) => "   ",
                };
                out.push(format!("{indent}{stem}{part}"));
            }
            branch.render_under(&format!("{indent}{}", if last { "   " } else { "│  " }), out);
        }
    }
}

/// Breaks a text at spaces; a word that is longer than the room stands alone, whole.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
