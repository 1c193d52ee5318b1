/// Octets of a known number of which not all have arrived.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    length: usize,
    arrived: Vec<u8>,
}

impl Body {
    /// The length is a claim: nothing is allocated for it.
    pub(crate) fn new(length: usize) -> Self {
        Body { length, arrived: Vec::new() }
    }

    /// Takes what belongs here from the front of `input`; the octets once all are there.
    pub(crate) fn fill(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        let (mine, rest) = input.split_at(input.len().min(self.length - self.arrived.len()));
        self.arrived.extend_from_slice(mine);
        *input = rest;
        (self.arrived.len() == self.length).then(|| std::mem::take(&mut self.arrived))
    }
}

/// Drops octets that are not wanted from the front of `input`.
pub(crate) fn skip(input: &mut &[u8], unwanted: &mut u64) {
    let dropped = usize::try_from(*unwanted).map_or(input.len(), |unwanted| unwanted.min(input.len()));
    *input = &input[dropped..];
    *unwanted -= dropped as u64;
}
