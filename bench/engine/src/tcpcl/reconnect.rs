use farlink_units::Duration;

/// How long to wait before a failed connection is tried again (section 4.1): twice as long each time, up to a limit.
///
/// ```
/// use farlink_engine::tcpcl::Reconnect;
/// use farlink_units::Duration;
///
/// let mut reconnect = Reconnect::default();
/// assert_eq!(reconnect.after_failure(), Duration::from_secs(1));
/// assert_eq!(reconnect.after_failure(), Duration::from_secs(2));
/// reconnect.established();
/// assert_eq!(reconnect.after_failure(), Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    first: Duration,
    limit: Duration,
    next: Duration,
}

impl Reconnect {
    /// Waits `first`, at least a millisecond, after the first failure, and never longer than `limit`, for which section 4.1
    /// recommends at most a minute.
    pub fn new(first: Duration, limit: Duration) -> Self {
        let first = first.max(Duration::from_millis(1)).min(limit.max(Duration::from_millis(1)));
        Reconnect { first, limit: limit.max(first), next: first }
    }

    /// A connection failed, or a session ended before it was established. Returns how long to wait before the next attempt.
    #[must_use]
    pub fn after_failure(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.limit);
        wait
    }

    /// A session was established: the next failure is a first one again.
    pub fn established(&mut self) {
        self.next = self.first;
    }
}

/// From one second to one minute.
impl Default for Reconnect {
    fn default() -> Self {
        Reconnect::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_its_limit_and_is_never_nothing() {
        let mut reconnect = Reconnect::default();
        let waits: Vec<_> = (0..8).map(|_| reconnect.after_failure().as_millis() / 1000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        let mut hasty = Reconnect::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(hasty.after_failure(), Duration::from_millis(1));
        assert_eq!(hasty.after_failure(), Duration::from_millis(1));
        let mut long = Reconnect::new(Duration::MAX, Duration::MAX);
        assert_eq!((long.after_failure(), long.after_failure()), (Duration::MAX, Duration::MAX));
    }
}
