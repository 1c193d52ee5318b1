//! Events, recordings and what is made of them.

pub mod event;
