//! The page around the blocks.

use std::fmt::Write;

use super::{Html, escape};

/// A page of its own: no network, no script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    title: String,
    lead: Html,
    sections: Vec<(String, Html)>,
}

impl Page {
    /// An empty page with this title.
    pub fn new(title: &str) -> Self {
        Page { title: title.to_owned(), ..Page::default() }
    }

    /// What stands before the first section.
    #[must_use]
    pub fn lead(mut self, lead: Html) -> Self {
        self.lead.push(lead);
        self
    }

    /// A section with its heading. Sections of a page have different headings.
    #[must_use]
    pub fn section(mut self, heading: &str, content: Html) -> Self {
        self.sections.push((heading.to_owned(), content));
        self
    }

    /// The whole file.
    pub fn render(&self) -> String {
        let title = escape(&self.title);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n{}",
            self.lead
        );
        if self.sections.len() > 2 {
            page.push_str("<nav>");
            for (heading, _) in &self.sections {
                // Writing to a text cannot fail.
                let _ = write!(page, "<a href=\"#{}\">{}</a> ", anchor(heading), escape(heading));
            }
            page.push_str("</nav>\n");
        }
        for (heading, content) in &self.sections {
            let (anchor, heading) = (anchor(heading), escape(heading));
            let _ = write!(page, "<section id=\"{anchor}\">\n<h2>{heading}</h2>\n{content}</section>\n");
        }
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }
}

fn anchor(heading: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    escape(&heading.chars().map(kept).collect::<String>())
}

const STYLE: &str = include_str!("style.css");
