//! Holds the bench against other implementations of the same documents: the wire code before the same bundles, and bundles
//! exchanged with other stacks. All of it is in `tests/`; the other implementations are dependencies of these tests alone.
