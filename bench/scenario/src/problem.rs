//! What can be said about a file: problems, each where it stands.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

use crate::model::SourceText;

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The byte offset from the start of the file.
    pub offset: usize,
    /// How many bytes are meant; 0 if only the start is known.
    pub length: usize,
}

/// The start of the file, for what is missing altogether.
pub(crate) const START: Position = Position { line: 1, column: 1, offset: 0, length: 0 };

/// One thing that is wrong, or looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` if it concerns the file as a whole, or the command line.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What would be right, where the message does not say it already.
    pub help: Option<String>,
}

/// Why a file was refused: everything that is wrong with it, in the order of the file.
///
/// `{}` prints a line `file:line:column: message` for each problem, `{:#}` adds what would be right. As a
/// [`miette::Diagnostic`] it shows the lines of the file with what would be right under each problem.
#[derive(Clone)]
pub struct FileError(Findings);

/// What is allowed in a file but probably not meant. Shown like a [`FileError`].
#[derive(Clone)]
pub struct FileWarnings(Findings);

/// Why a scenario was refused.
pub type ScenarioError = FileError;

/// What is allowed in a scenario but probably not meant.
pub type ScenarioWarnings = FileWarnings;

#[derive(Clone)]
struct Findings {
    source: NamedSource<Arc<str>>,
    problems: Vec<Problem>,
}

impl Problem {
    pub(crate) fn at(position: Position, message: impl Into<String>) -> Self {
        Problem { position: Some(position), message: message.into(), help: None }
    }

    pub(crate) fn of_file(message: impl Into<String>) -> Self {
        Problem { position: None, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Findings {
    fn new(source: &SourceText, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.position);
        Findings { source: NamedSource::new(source.path.to_string_lossy(), source.text.clone()), problems }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |problem: &Problem| {
            let position = problem.position?;
            Some(LabeledSpan::new(problem.help.clone(), position.offset, position.length))
        };
        Some(Box::new(self.problems.iter().filter_map(label)))
    }

    /// What would be right where there is no line to show it under.
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let problem = self.problems.iter().find(|problem| problem.position.is_none())?;
        Some(Box::new(problem.help.as_deref()?))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(self.source.name())?;
            if let Some(position) = problem.position {
                write!(f, ":{}:{}", position.line, position.column)?;
            }
            write!(f, ": {}", problem.message)?;
            if let (true, Some(help)) = (f.alternate(), &problem.help) {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

macro_rules! diagnostic {
    ($type:ident, $severity:expr) => {
        impl $type {
            pub(crate) fn new(source: &SourceText, problems: Vec<Problem>) -> Self {
                $type(Findings::new(source, problems))
            }

            /// Each problem, in the order of the file.
            pub fn problems(&self) -> &[Problem] {
                &self.0.problems
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.0.problems).finish()
            }
        }

        impl std::error::Error for $type {}

        impl Diagnostic for $type {
            fn severity(&self) -> Option<Severity> {
                Some($severity)
            }
            fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
                self.0.help()
            }
            fn source_code(&self) -> Option<&dyn SourceCode> {
                Some(&self.0.source)
            }
            fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
                self.0.labels()
            }
        }
    };
}

diagnostic!(FileError, Severity::Error);
diagnostic!(FileWarnings, Severity::Warning);
