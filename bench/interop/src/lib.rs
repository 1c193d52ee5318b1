//! Holds the bench's wire code against other implementations of the same documents. All of it is in `tests/`; the other
//! implementations are dependencies of these tests alone.
