//! Rewrites of bundles.

use serde::Deserialize;

use super::Mutation;

/// A rewrite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {}

/// Applies a rewrite.
pub(super) struct Rewriter;

impl Rewriter {
    pub(super) fn new(_rewrite: Rewrite) -> Self {
        Rewriter
    }
}

impl Mutation for Rewriter {}
