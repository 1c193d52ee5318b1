//! Reports: one HTML file that needs nothing else, for a screen, light or dark, and for paper.
//!
//! A [`Page`] has sections of [`Html`]; what makes those is one block a file: [`Table`], [`LinePlot`] (also as a [`cdf`]), [`Gantt`] and
//! [`Ladder`]. Blocks escape what they are given. Colours are named in the page's style, so that a plot follows the reader's scheme, and
//! nothing is told by colour alone: series have marks and dashes, verdicts have words. The same input gives the same octets.

mod axis;
mod gantt;
mod html;
mod ladder;
mod page;
mod plot;
mod table;

pub use axis::{Axis, Scale};
pub use gantt::{Bar, Gantt, GanttRow, Tone};
pub use html::{Html, escape};
pub use ladder::{Ladder, Rung};
pub use page::Page;
pub use plot::{LinePlot, Mark, PlotPoint, Series, cdf};
pub use table::{Cell, Table};
