//! Text and markup.

use std::fmt;

/// Markup that is sound: what people wrote has been escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

/// Text as markup shows it, also inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML has no place for these.
            c if c.is_control() && !c.is_whitespace() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

impl Html {
    /// Text, escaped.
    pub fn text(text: &str) -> Self {
        Html(escape(text))
    }

    /// A paragraph of text.
    pub fn paragraph(text: &str) -> Self {
        Html(format!("<p>{}</p>\n", escape(text)))
    }

    /// A heading inside a section.
    pub fn heading(text: &str) -> Self {
        Html(format!("<h3>{}</h3>\n", escape(text)))
    }

    /// A paragraph of several parts.
    pub fn line(parts: impl IntoIterator<Item = Html>) -> Self {
        let parts: String = parts.into_iter().map(|part| part.0).collect();
        Html(format!("<p>{parts}</p>\n"))
    }

    /// Text whose lines and blanks stay as they are.
    pub fn preformatted(text: &str) -> Self {
        Html(format!("<pre>{}</pre>\n", escape(text)))
    }

    /// A link; the address is shown where the page is printed.
    pub fn link(address: &str, text: &str) -> Self {
        Html(format!("<a href=\"{}\">{}</a>", escape(address), escape(text)))
    }

    /// A word with a colour of its own: a verdict such as `pass`, `fail` or `skipped`.
    pub fn verdict(word: &str) -> Self {
        let word = escape(word);
        Html(format!("<span class=\"verdict {word}\">{word}</span>"))
    }

    /// Blocks beside each other where there is room, below each other where there is not.
    pub fn beside(blocks: impl IntoIterator<Item = Html>) -> Self {
        let blocks: String = blocks.into_iter().map(|block| block.0).collect();
        Html(format!("<div class=\"beside\">{blocks}</div>\n"))
    }

    /// What a reader unfolds; open on paper is only what is open on the screen.
    pub fn folded(summary: &str, content: Html) -> Self {
        Html(format!("<details><summary>{}</summary>\n{}</details>\n", escape(summary), content.0))
    }

    /// Markup of this module.
    pub(super) fn sound(markup: String) -> Self {
        Html(markup)
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds what follows.
    pub fn push(&mut self, more: Html) {
        self.0.push_str(&more.0);
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(blocks: I) -> Self {
        Html(blocks.into_iter().map(|block| block.0).collect())
    }
}
