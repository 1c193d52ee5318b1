//! A node of hardy as a process of its own, for suites that judge it: `ipn:2.0` with TCPCLv4.
//!
//! ```text
//! hardy-node --listen 127.0.0.1:4556 [--connect 127.0.0.1:4557] [--inbox DIR] [--keepalive SECONDS]
//! ```
//!
//! Its application on service 1 writes what it is given into the inbox, a file each; the one on service 7 sends it back. It
//! reports on bundles that ask for it. `--version` tells the versions of hardy's crates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hardy_bpa::async_trait;
use hardy_bpa::bpa::{Bpa, BpaRegistration};
use hardy_bpa::node_ids::NodeIds;
use hardy_bpa::services::{Application, ApplicationSink, Result, StatusNotify};
use hardy_bpv7::eid::{Eid, IpnNodeId, NodeId, Service};
use hardy_tcpclv4::Cla;
use hardy_tcpclv4::config::Config;

const VERSION: &str = "hardy-bpa 0.2.0, hardy-bpv7 0.6.0, hardy-tcpclv4 0.4.0";

/// An application that keeps data or sends it back.
struct Service1Or7 {
    sink: OnceLock<Box<dyn ApplicationSink>>,
    /// Where data is kept; `None` sends it back.
    inbox: Option<PathBuf>,
    received: AtomicU64,
}

impl Service1Or7 {
    fn new(inbox: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Service1Or7 { sink: OnceLock::new(), inbox, received: AtomicU64::new(0) })
    }
}

#[async_trait]
impl Application for Service1Or7 {
    async fn on_register(&self, _source: &Eid, sink: Box<dyn ApplicationSink>) {
        let _ = self.sink.set(sink);
    }

    async fn on_unregister(&self) {}

    async fn on_receive(
        &self,
        source: Eid,
        _expiry: time::OffsetDateTime,
        _ack_requested: bool,
        payload: Bytes,
    ) -> Result<()> {
        let Some(inbox) = &self.inbox else {
            let Some(sink) = self.sink.get() else { return Ok(()) };
            return sink.send(source, payload, Duration::from_secs(600), None).await.map(drop);
        };
        let number = self.received.fetch_add(1, Ordering::Relaxed);
        let (partial, whole) = (inbox.join(format!(".{number}.part")), inbox.join(format!("{number:08}")));
        // The application has nobody to tell that the disk is full; the suite sees that nothing was delivered.
        let _ = std::fs::write(&partial, &payload).and_then(|()| std::fs::rename(partial, whole));
        Ok(())
    }

    async fn on_status_notify(
        &self,
        _bundle_id: &hardy_bpv7::bundle::Id,
        _from: &Eid,
        _kind: StatusNotify,
        _reason: hardy_bpv7::status_report::ReasonCode,
        _timestamp: Option<time::OffsetDateTime>,
    ) {
    }
}

#[derive(Default)]
struct Arguments {
    listen: Option<SocketAddr>,
    connect: Option<SocketAddr>,
    inbox: Option<PathBuf>,
    keepalive: Option<u16>,
}

fn arguments() -> std::result::Result<Option<Arguments>, String> {
    let mut told = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let address = |text: String| text.parse().map_err(|_| format!("{text:?} is no address and port"));
        match word.as_str() {
            "--version" => return Ok(None),
            "--listen" => told.listen = Some(address(value()?)?),
            "--connect" => told.connect = Some(address(value()?)?),
            "--inbox" => told.inbox = Some(value()?.into()),
            "--keepalive" => {
                let text = value()?;
                told.keepalive = Some(text.parse().map_err(|_| format!("{text:?} are no seconds, 0 to 65535"))?);
            }
            _ => {
                return Err(format!(
                    "{word:?}: give --listen ADDRESS, --connect ADDRESS, --inbox DIR, --keepalive SECONDS or --version"
                ));
            }
        }
    }
    Ok(Some(told))
}

async fn serve(told: Arguments) -> std::result::Result<(), String> {
    let node = NodeId::Ipn(IpnNodeId { allocator_id: 0, node_number: 2 });
    let node_ids = NodeIds::try_from([node].as_slice()).map_err(|error| format!("{error:?}"))?;
    let bpa =
        Bpa::builder().node_ids(node_ids).status_reports(true).build().await.map_err(|error| format!("{error:?}"))?;
    bpa.start(false);
    if let Some(inbox) = &told.inbox {
        std::fs::create_dir_all(inbox).map_err(|error| format!("{}: {error}", inbox.display()))?;
    }
    let keeps = Service1Or7::new(told.inbox.or_else(|| Some(std::env::temp_dir())));
    bpa.register_application(Service::Ipn(1), keeps).await.map_err(|error| format!("{error:?}"))?;
    bpa.register_application(Service::Ipn(7), Service1Or7::new(None)).await.map_err(|error| format!("{error:?}"))?;
    let mut config = Config { address: told.listen, ..Config::default() };
    if told.keepalive.is_some() {
        config.session_defaults.keepalive_interval = told.keepalive;
    }
    let cla = Arc::new(Cla::new(&config).map_err(|error| format!("{error:?}"))?);
    bpa.register_cla("tcp".to_owned(), cla.clone(), None).await.map_err(|error| format!("{error:?}"))?;
    println!("ready");
    loop {
        if let Some(to) = told.connect {
            // Again and again: the suite ends sessions, and refuses some.
            let _ = cla.connect(&to).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn main() -> ExitCode {
    let told = match arguments() {
        Ok(Some(told)) => told,
        Ok(None) => {
            println!("{VERSION}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("hardy-node: {why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(serve(told)),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hardy-node: {why}");
            ExitCode::from(2)
        }
    }
}
