//! TLS on a connection.

use farlink_units::Instant;

use super::Peer;
use crate::outcome::Finding;
use crate::secure::Secure;
use crate::tester::Tester;

impl Peer {
    /// Begins TLS. What has come after the contact header belongs to it.
    pub(in crate::cases::tcpclv4) fn begin_tls(&mut self, t: &mut Tester<'_>, tls: Secure) -> Result<(), Finding> {
        self.tls = Some(Box::new(tls));
        let early = std::mem::take(&mut self.inbox);
        self.arrived(t, &early)
    }

    /// Whether the handshake is done in time. It is not where it fails or the node closes.
    pub(in crate::cases::tcpclv4) fn handshake(&mut self, t: &mut Tester<'_>) -> Result<bool, Finding> {
        let until = t.now() + t.profile().answer_time() + t.profile().answer_time();
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking() && tls.error.is_none()) {
            if !self.pull(t, until)? {
                break;
            }
        }
        Ok(self.tls.as_ref().is_some_and(|tls| !tls.is_handshaking() && tls.error.is_none()))
    }

    /// Whether TLS fails by then, or the node closes, although the handshake is done on this side.
    pub(in crate::cases::tcpclv4) fn tls_fails_by(
        &mut self,
        t: &mut Tester<'_>,
        until: Instant,
    ) -> Result<bool, Finding> {
        while self.tls_error().is_none() && self.pull(t, until)? {}
        Ok(self.tls_error().is_some() || self.closed.is_some())
    }

    /// Sends the closure alert of TLS.
    pub(in crate::cases::tcpclv4) fn end_tls(&mut self, t: &mut Tester<'_>) -> Result<(), Finding> {
        let alert = self.tls.as_mut().map(|tls| tls.close()).unwrap_or_default();
        t.write(self.stream, &alert)
    }

    /// Why TLS failed.
    pub(in crate::cases::tcpclv4) fn tls_error(&self) -> Option<&rustls::Error> {
        self.tls.as_ref()?.error.as_ref()
    }

    /// What became of TLS, for people.
    pub(in crate::cases::tcpclv4) fn tls_told(&self) -> String {
        match (self.tls_error(), self.closed) {
            (Some(error), _) => error.to_string(),
            (None, Some(_)) => "the node closed the connection".to_owned(),
            (None, None) => "it was not done in time".to_owned(),
        }
    }

    /// Whether the node has sent the closure alert of TLS.
    pub(in crate::cases::tcpclv4) fn tls_ended(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.ended)
    }

    /// The certificates that the node has shown.
    pub(in crate::cases::tcpclv4) fn certificates(&self) -> Vec<Vec<u8>> {
        self.tls.as_ref().map(|tls| tls.certificates()).unwrap_or_default()
    }

    /// Whether the node, as server, has asked for a certificate.
    pub(in crate::cases::tcpclv4) fn was_asked(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.was_asked())
    }

    /// The name that the node, as client, has sent.
    pub(in crate::cases::tcpclv4) fn server_name(&self) -> Option<String> {
        self.tls.as_ref()?.server_name()
    }
}
