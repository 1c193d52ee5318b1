//! Text kernels: assignments between `\begindata` and `\begintext` (NAIF, "Kernel Required Reading").

use std::collections::BTreeMap;

use super::KernelError;

/// A value of an assignment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// A string, or a date without its `@`.
    Text(String),
}

/// The values of a variable and where they were assigned.
#[derive(Clone, Debug)]
struct Assigned {
    kernel: String,
    line: usize,
    values: Vec<Value>,
}

/// The variables of text kernels.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(BTreeMap<String, Assigned>);

impl Variables {
    /// Reads a kernel and adds what it assigns; `=` replaces, `+=` appends.
    pub(super) fn read(&mut self, kernel: &str, text: &str) -> Result<(), KernelError> {
        let wrong = |line, what| KernelError::Text { kernel: kernel.to_owned(), line, what };
        let mut data = false;
        // The variable whose list goes on in the next line, and the line where it began.
        let mut open: Option<(String, usize)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match line.trim() {
                r"\begindata" => data = true,
                r"\begintext" => data = false,
                line if !data || line.is_empty() => {}
                line => {
                    let (name, values, list) = match open.take() {
                        Some((name, _)) => (name, line, true),
                        None => self.assignment(kernel, number, line).map_err(|what| wrong(number, what))?,
                    };
                    let ended = self.take(&name, values, list).map_err(|what| wrong(number, what))?;
                    if list && !ended {
                        open = Some((name, number));
                    }
                }
            }
        }
        match open {
            Some((name, line)) => Err(wrong(line, format!("the list of `{name}` has no end"))),
            None => Ok(()),
        }
    }

    /// Opens the assignment of a line: its variable, what is behind the sign, and whether that is a list.
    fn assignment<'a>(&mut self, kernel: &str, line: usize, text: &'a str) -> Result<(String, &'a str, bool), String> {
        let (name, values) = text.split_once('=').ok_or_else(|| format!("`{text}` assigns nothing"))?;
        let (name, append) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("`{name}` is no name of a variable"));
        }
        let new = Assigned { kernel: kernel.to_owned(), line, values: Vec::new() };
        if append {
            self.0.entry(name.to_owned()).or_insert(new);
        } else {
            self.0.insert(name.to_owned(), new);
        }
        let values = values.trim();
        Ok(match values.strip_prefix('(') {
            Some(list) => (name.to_owned(), list, true),
            None => (name.to_owned(), values, false),
        })
    }

    /// Appends the values of a line; whether the list ended with it.
    fn take(&mut self, name: &str, line: &str, list: bool) -> Result<bool, String> {
        const BETWEEN: [char; 3] = [' ', '\t', ','];
        let values = &mut self.0.get_mut(name).expect("entered when its assignment began").values;
        let mut rest = line.trim_start_matches(BETWEEN);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(')') {
                return if list && after.trim().is_empty() {
                    Ok(true)
                } else {
                    Err(format!("`{rest}` follows the values"))
                };
            }
            let after = if let Some(quoted) = rest.strip_prefix('\'') {
                let (text, after) = quoted.split_once('\'').ok_or("a quotation mark is missing")?;
                values.push(Value::Text(text.to_owned()));
                after
            } else {
                let (word, after) = rest.split_at(rest.find([' ', '\t', ',', ')']).unwrap_or(rest.len()));
                values.push(value(word)?);
                after
            };
            rest = after.trim_start_matches(BETWEEN);
        }
        Ok(false)
    }

    pub(super) fn values(&self, name: &str) -> Option<&[Value]> {
        self.0.get(name).map(|assigned| assigned.values.as_slice())
    }

    /// The numbers of a variable, if it is there.
    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, KernelError> {
        let number = |value: &Value| match value {
            Value::Number(number) => Ok(*number),
            Value::Text(text) => Err(self.wrong(name, format!("`{text}` stands where a number belongs"))),
        };
        self.values(name).map(|values| values.iter().map(number).collect()).transpose()
    }

    /// An error about a variable.
    pub(super) fn wrong(&self, name: &str, what: String) -> KernelError {
        let (kernel, line) = self.0.get(name).map_or((String::new(), 0), |a| (a.kernel.clone(), a.line));
        KernelError::Text { kernel, line, what: format!("`{name}`: {what}") }
    }
}

fn value(word: &str) -> Result<Value, String> {
    if let Some(date) = word.strip_prefix('@') {
        return Ok(Value::Text(date.to_owned()));
    }
    // Fortran writes 1.4D-12.
    match word.replace(['d', 'D'], "e").parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Number(number)),
        _ => Err(format!("`{word}` is neither a number nor a text in quotation marks")),
    }
}
