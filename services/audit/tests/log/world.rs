//! Servers, and installations on them that share nothing else.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use jiff::Timestamp;
use muster_audit::{FsckReport, fsck};
use muster_domain::{
    AggregateId, TenantId,
    audit::{AuditLog, Export},
    pb::{
        audit::v1::{
            AuditLogEvent, ExportCreated, ExportEvent, GetLogRequest, GetLogResponse, audit_log_event::Event,
            audit_service_client::AuditServiceClient, export_event,
        },
        common::v1::{Actor, ActorKind},
    },
};
use muster_eventlog::{
    EventLog, LogConfig, Meta,
    db::{Database, OWNER_ROLE, SERVICE_ROLE},
};
use muster_local::{nats::NatsServer, postgres::PostgresServer};
use muster_logstore::{LogFiles, LogStore};
use muster_runtime::{Clock, Config, Context, config, serve};
use muster_tlog::{Checkpoint, Note};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Request, transport::Channel};
use uuid::Uuid;

use crate::issuer::Issuer;

pub(crate) use muster_local::eventually;

pub(crate) struct World {
    pub(crate) postgres: PostgresServer,
    pub(crate) nats: NatsServer,
    issuer: Issuer,
    installations: AtomicUsize,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (nats, postgres, issuer) =
            tokio::join!(NatsServer::temporary(), PostgresServer::temporary(), Issuer::start());
        Self { postgres: postgres.unwrap(), nats: nats.unwrap(), issuer, installations: AtomicUsize::new(0) }
    }

    /// With a tenant acme, on the shared server.
    pub(crate) async fn installation(&self) -> Installation {
        let url = self.nats.url();
        self.installation_on(&url).await
    }

    pub(crate) async fn installation_on(&self, nats_url: &str) -> Installation {
        let name = format!("case{}", self.installations.fetch_add(1, Ordering::Relaxed) + 1);
        self.postgres.sql(&format!("CREATE DATABASE {name}")).await.unwrap();
        Database::prepare(&self.postgres.url("postgres", &name)).await.unwrap();
        Database::migrate(&self.postgres.url(OWNER_ROLE, &name), &[muster_audit::MIGRATIONS]).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.nats.url = nats_url.to_owned();
        config.nats.prefix.clone_from(&name);
        config.postgres.url = self.postgres.url(SERVICE_ROLE, &name);
        config.auth.issuers = vec![self.issuer.config()];
        config.telemetry.log_level = "error".into();
        config.audit.domain = Some("audit.example".into());
        config.audit.store = Some(directory.path().join("log").display().to_string());
        config.audit.keys = Some(directory.path().join("keys"));
        let log = connect(&config).await;
        log.provision().await.unwrap();
        for tenant in [TenantId::operating(), acme()] {
            log.provision_tenant(&tenant).await.unwrap();
        }
        let db = Database::connect(&config.postgres.url).await.unwrap();
        let admin = self.issuer.token("ada", &["admin"], false);
        Installation { config, log, db, clock: Clock::system(), admin, running: None, _directory: directory }
    }
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

pub(crate) async fn connect(config: &Config) -> EventLog {
    let (url, prefix) = (config.nats.url.clone(), config.nats.prefix.clone());
    EventLog::connect(&LogConfig { url, prefix, ..LogConfig::default() }).await.unwrap()
}

/// One Muster with its audit service, which may be running.
pub(crate) struct Installation {
    pub(crate) config: Config,
    pub(crate) log: EventLog,
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    admin: String,
    running: Option<Running>,
    _directory: tempfile::TempDir,
}

pub(crate) struct Running {
    pub(crate) channel: Channel,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The audit service as a process has it.
pub(crate) async fn serve_audit(config: &Config, log: &EventLog, db: &Database, clock: &Clock) -> Running {
    let context = Context::assemble(config.clone(), clock.clone(), log.clone(), db.clone()).unwrap();
    let stop = context.shutdown.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = muster_audit::service(&context);
    let task = tokio::spawn(async move { serve(context, vec![service], listener).await.unwrap() });
    Running { channel: Channel::from_shared(url).unwrap().connect_lazy(), stop, task }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl Installation {
    pub(crate) async fn start(&mut self) {
        self.running = Some(self.another().await);
    }

    /// One more process of the same installation.
    pub(crate) async fn another(&self) -> Running {
        serve_audit(&self.config, &self.log, &self.db, &self.clock).await
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.config.audit.store.as_ref().unwrap().into()
    }

    pub(crate) fn files(&self, epoch: u32) -> LogFiles {
        LogStore::open(self.config.audit.store.as_ref().unwrap()).unwrap().log(&acme(), epoch)
    }

    pub(crate) fn client(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.running.as_ref().expect("it runs").channel.clone())
    }

    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.admin).parse().unwrap());
        request
    }

    pub(crate) async fn get_log(&self) -> GetLogResponse {
        let ask = self.ask(GetLogRequest { tenant: "acme".into() });
        self.client().get_log(ask).await.unwrap().into_inner()
    }

    /// This many more events: (id, sequence) of each.
    pub(crate) async fn append(&self, count: usize) -> Vec<(Uuid, u64)> {
        append(&self.log, count).await
    }

    /// Waits for the witnessed checkpoint over a sequence of this epoch, whose first sequence is 1.
    pub(crate) async fn covered(&self, epoch: u32, sequence: u64) -> Checkpoint {
        let files = self.files(epoch);
        let mut found = None;
        eventually(&format!("a checkpoint over {sequence} in epoch {epoch}"), async || {
            found = checkpoint(&files, "checkpoint").await;
            found.as_ref().is_some_and(|checkpoint| checkpoint.size > sequence)
        })
        .await;
        found.unwrap()
    }

    /// The checkpoint over all that is in the record now, the log's own events included.
    pub(crate) async fn all_covered(&self, epoch: u32) -> Checkpoint {
        let files = self.files(epoch);
        let mut found = None;
        eventually("a checkpoint over all", async || {
            let last = self.log.last_sequence(&acme()).await.unwrap();
            found = checkpoint(&files, "checkpoint").await;
            found.as_ref().is_some_and(|checkpoint| checkpoint.size == last + 1)
        })
        .await;
        found.unwrap()
    }

    pub(crate) async fn fsck(&self) -> FsckReport {
        let store = LogStore::open(self.config.audit.store.as_ref().unwrap()).unwrap();
        fsck(&self.log, &store, &acme(), |_, _| {}).await.unwrap()
    }

    pub(crate) async fn findings(&self) -> Vec<String> {
        self.fsck().await.findings.iter().map(|(epoch, finding)| format!("epoch {epoch}: {finding}")).collect()
    }

    pub(crate) async fn life(&self) -> AuditLog {
        self.log.load::<AuditLog>(&acme(), &AuditLog::ID.parse().unwrap()).await.unwrap().state
    }

    /// All events of the log about itself, in order.
    pub(crate) async fn own_events(&self) -> Vec<Event> {
        let mut entries = self.log.raw(&acme(), 0);
        let mut events = Vec::new();
        while let Some(batch) = entries.next_until_caught_up().await.unwrap() {
            let own = batch.into_iter().filter(|entry| entry.subject.starts_with("rec.acme.audit-log."));
            events.extend(own.filter_map(|entry| AuditLogEvent::decode(entry.payload).unwrap().event));
        }
        events
    }
}

pub(crate) async fn append(log: &EventLog, count: usize) -> Vec<(Uuid, u64)> {
    let mut appended = Vec::new();
    for _ in 0..count {
        let (id, meta) = (AggregateId::from(Uuid::now_v7()), meta());
        let created = ExportCreated { format: "json".into(), ..ExportCreated::default() };
        let event = ExportEvent { event: Some(export_event::Event::Created(created)) };
        let done = log.append::<Export>(&acme(), &id, 1, &meta, &event).await.unwrap();
        appended.push((done.event_id, done.sequence));
    }
    appended
}

pub(crate) fn meta() -> Meta {
    let actor =
        Actor { id: "service:test".into(), name: "test".into(), kind: ActorKind::Service.into(), roles: vec![] };
    Meta { event_id: Uuid::now_v7(), actor, time: Timestamp::now(), correlation: Uuid::now_v7(), causation: None }
}

pub(crate) async fn checkpoint(files: &LogFiles, file: &str) -> Option<Checkpoint> {
    let note = files.read(file).await.unwrap()?;
    Some(Note::parse(&note).unwrap().text().parse().unwrap())
}

/// A witness at an address where nobody answers.
pub(crate) fn absent_witness() -> config::AuditWitness {
    let key = muster_tlog::VerifierKey::new("witness.example", muster_tlog::Algorithm::CosignatureV1, [7; 32]);
    config::AuditWitness {
        name: "customer".into(),
        url: format!("http://127.0.0.1:{}", muster_local::free_port().unwrap()),
        verifier_key: key.unwrap().to_string(),
    }
}
