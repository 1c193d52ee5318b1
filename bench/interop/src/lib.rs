//! Bundles exchanged with other stacks in one process; see `tests`.
