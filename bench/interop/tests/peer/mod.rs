//! A node of hardy, `ipn:2.0`, with an application that sends everything back.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, mpsc};

use bytes::Bytes;
use hardy_bpa::async_trait;
use hardy_bpa::bpa::{Bpa, BpaRegistration};
use hardy_bpa::node_ids::NodeIds;
use hardy_bpa::services::{Application, ApplicationSink, Result, StatusNotify};
use hardy_bpv7::eid::{IpnNodeId, NodeId, Service};
use hardy_tcpclv4::config::TlsConfig;
use tokio::runtime::Runtime;

/// Sends each payload back, and tells the test.
struct Echo {
    sink: OnceLock<Box<dyn ApplicationSink>>,
    received: mpsc::Sender<Bytes>,
}

#[async_trait]
impl Application for Echo {
    async fn on_register(&self, _source: &hardy_bpv7::eid::Eid, sink: Box<dyn ApplicationSink>) {
        let _ = self.sink.set(sink);
    }

    async fn on_unregister(&self) {}

    async fn on_receive(
        &self,
        source: hardy_bpv7::eid::Eid,
        _expiry: time::OffsetDateTime,
        _ack_requested: bool,
        payload: Bytes,
    ) -> Result<()> {
        let _ = self.received.send(payload.clone());
        let sink = self.sink.get().expect("registered before it receives");
        sink.send(source, payload, std::time::Duration::from_secs(600), None).await.map(drop)
    }

    async fn on_status_notify(
        &self,
        _bundle_id: &hardy_bpv7::bundle::Id,
        _from: &hardy_bpv7::eid::Eid,
        _kind: StatusNotify,
        _reason: hardy_bpv7::status_report::ReasonCode,
        _timestamp: Option<time::OffsetDateTime>,
    ) {
    }
}

/// hardy's node.
pub struct Hardy {
    pub runtime: Runtime,
    pub cla: Arc<hardy_tcpclv4::Cla>,
    bpa: Bpa,
    pub received: mpsc::Receiver<Bytes>,
}

impl Hardy {
    pub fn start(listens: Option<SocketAddr>, tls: Option<TlsConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (received_tx, received) = mpsc::channel();
        let (bpa, cla) = runtime.block_on(async {
            let node = NodeId::Ipn(IpnNodeId { allocator_id: 0, node_number: 2 });
            let node_ids = NodeIds::try_from([node].as_slice()).unwrap();
            let bpa = Bpa::builder().node_ids(node_ids).build().await.unwrap();
            bpa.start(false);
            let echo = Arc::new(Echo { sink: OnceLock::new(), received: received_tx });
            bpa.register_application(Service::Ipn(1), echo).await.unwrap();
            let mut config = hardy_tcpclv4::config::Config { address: listens, tls, ..Default::default() };
            config.session_defaults.require_tls = config.tls.is_some();
            let cla = Arc::new(hardy_tcpclv4::Cla::new(&config).unwrap());
            bpa.register_cla("tcp".to_owned(), cla.clone(), None).await.unwrap();
            (bpa, cla)
        });
        Hardy { runtime, cla, bpa, received }
    }

    pub fn stop(self) {
        self.runtime.block_on(self.bpa.shutdown());
    }
}
