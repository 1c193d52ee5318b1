//! The `key=value` pairs behind the kind and the place of a port.

/// Pairs that have been read and not yet taken, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Vec<(String, String)>);

impl Keys {
    /// Reads `key=value,key=value`. What is no pair, or comes twice, is the error.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut keys = Keys::default();
        for pair in text.split(',').filter(|_| !text.is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) if !key.is_empty() && !keys.0.iter().any(|(known, _)| known == key) => {
                    keys.0.push((key.to_owned(), value.to_owned()));
                }
                _ => return Err(pair.to_owned()),
            }
        }
        Ok(keys)
    }

    /// Takes the value of a key.
    pub(crate) fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    /// A key that nobody has taken.
    pub(crate) fn left(&self) -> Option<&str> {
        self.0.first().map(|(key, _)| key.as_str())
    }
}
