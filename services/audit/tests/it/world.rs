//! The service as a process serves it, and people who call it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::{
    Aggregate, AggregateId, TenantId,
    pb::{
        audit::v1::{
            AuditFilter, AuditRecord, Gap, ListEventsRequest, ListGapsRequest, audit_service_client::AuditServiceClient,
        },
        common::v1::{Actor, ActorKind},
    },
};
use muster_eventlog::{
    EventLog, LogConfig, Meta, RawEntry,
    db::{Database, OWNER_ROLE, SERVICE_ROLE},
    keyring::{FileKeyring, Keyring},
    position_of, wait_for,
};
use muster_local::{nats::NatsServer, postgres::TemporaryDatabase};
use muster_runtime::{Clock, Config, Context, config, serve, status::refusal_of};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, transport::Channel};
use uuid::Uuid;

use crate::issuer::Issuer;

pub(crate) use muster_local::eventually;

/// One for each case.
const TENANTS: [&str; 12] = [
    "life", "two", "paged", "lapse", "found", "evidence", "reviewed", "told", "denied", "changed", "reported",
    "shredded",
];

pub(crate) struct World {
    pub(crate) log: EventLog,
    pub(crate) db: Database,
    config: Config,
    issuer: Issuer,
    channel: Channel,
    stop: CancellationToken,
    _keys: tempfile::TempDir,
    _nats: NatsServer,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (nats, postgres, issuer) =
            tokio::join!(NatsServer::temporary(), TemporaryDatabase::create(), Issuer::start());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(OWNER_ROLE), &[muster_audit::MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(SERVICE_ROLE)).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let keyring: Arc<dyn Keyring> = Arc::new(FileKeyring::open(keys.path().join("keys")).unwrap());
        let log = LogConfig { url: nats.url(), keyring: Some(keyring), ..LogConfig::default() };
        let log = EventLog::connect(&log).await.unwrap();
        log.provision().await.unwrap();
        for tenant in TENANTS {
            log.provision_tenant(&tenant.parse().unwrap()).await.unwrap();
        }
        let mut config = Config::default();
        config.auth.issuers = vec![in_every_tenant(issuer.config())];
        let (channel, stop) = serve_audit(&config, &log, &db).await;
        Self { log, db, config, issuer, channel, stop, _keys: keys, _nats: nats }
    }

    /// The process ends; what happens in between it finds when it starts again.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn start_again(&mut self) {
        (self.channel, self.stop) = serve_audit(&self.config, &self.log, &self.db).await;
    }

    pub(crate) fn person(&self, tenant: &'static str, name: &str, groups: &[&str]) -> Caller {
        Caller { tenant, token: self.issuer.token(name, groups, false), channel: self.channel.clone() }
    }

    pub(crate) fn ada(&self, tenant: &'static str) -> Caller {
        self.person(tenant, "ada", &["admin"])
    }

    pub(crate) fn bea(&self, tenant: &'static str) -> Caller {
        self.person(tenant, "bea", &["business"])
    }

    pub(crate) fn ingo(&self, tenant: &'static str) -> Caller {
        self.person(tenant, "ingo", &["it"])
    }

    pub(crate) fn olga(&self, tenant: &'static str) -> Caller {
        self.person(tenant, "olga", &["operator"])
    }

    /// As another service writes it; answers with its id and sequence.
    pub(crate) async fn append<A: Aggregate>(
        &self,
        tenant: &str,
        id: &AggregateId,
        version: u64,
        meta: Meta,
        event: &A::Event,
    ) -> (Uuid, u64) {
        let tenant: TenantId = tenant.parse().unwrap();
        let appended = self.log.append::<A>(&tenant, id, version, &meta, event).await.unwrap();
        (appended.event_id, appended.sequence)
    }

    /// The stored bytes of a tenant's record, with headers in order.
    pub(crate) async fn stored(&self, tenant: &str) -> Vec<RawEntry> {
        let mut follower = self.log.raw(&tenant.parse().unwrap(), 0);
        let mut entries = Vec::new();
        while let Some(batch) = follower.next_until_caught_up().await.unwrap() {
            entries.extend(batch);
        }
        entries.iter_mut().for_each(|entry: &mut RawEntry| entry.headers.sort());
        entries
    }

    /// Waits until the reactor has looked at everything up to here.
    pub(crate) async fn reacted(&self, tenant: &str, sequence: u64) {
        let handler = position_of("audit.gaps");
        wait_for(&self.db, &handler, &tenant.parse().unwrap(), sequence, Duration::from_secs(120)).await.unwrap();
    }

    /// The newest event of the tenant's log.
    pub(crate) async fn newest(&self, tenant: &str) -> u64 {
        self.log.last_sequence(&tenant.parse().unwrap()).await.unwrap()
    }

    /// As after a crash before the position was written.
    pub(crate) async fn forget_what_was_reacted_to(&self, tenant: &str) {
        let mut tx = self.db.tenant_tx(&tenant.parse().unwrap()).await.unwrap();
        let forgotten = sqlx::query("DELETE FROM eventlog.position WHERE handler = $1 AND tenant = $2")
            .bind(position_of("audit.gaps"))
            .bind(tenant)
            .execute(&mut *tx)
            .await
            .unwrap();
        assert_eq!(forgotten.rows_affected(), 1);
        tx.commit().await.unwrap();
    }
}

async fn serve_audit(config: &Config, log: &EventLog, db: &Database) -> (Channel, CancellationToken) {
    let ctx = Context::assemble(config.clone(), Clock::system(), log.clone(), db.clone()).unwrap();
    let stop = ctx.shutdown.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = muster_audit::service(&ctx);
    tokio::spawn(async move { serve(ctx, vec![service], listener).await.unwrap() });
    (Channel::from_shared(url).unwrap().connect_lazy(), stop)
}

fn in_every_tenant(issuer: config::Issuer) -> config::Issuer {
    let of_one: Vec<config::Mapping> =
        issuer.mappings.iter().filter(|mapping| mapping.tenant == "acme").cloned().collect();
    let in_tenant = |tenant: &str| {
        let tenant = tenant.to_owned();
        of_one.clone().into_iter().map(move |mapping| config::Mapping { tenant: tenant.clone(), ..mapping })
    };
    config::Issuer { mappings: TENANTS.iter().flat_map(|tenant| in_tenant(tenant)).collect(), ..issuer }
}

/// Of an event that a person caused.
pub(crate) fn meta(who: &str, correlation: Uuid, causation: Option<Uuid>) -> Meta {
    let kind = if who.starts_with("service:") { ActorKind::Service } else { ActorKind::Person };
    let actor = Actor { id: who.into(), name: who.into(), kind: kind.into(), roles: vec![] };
    Meta { event_id: Uuid::now_v7(), actor, time: Timestamp::now(), correlation, causation }
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: &'static str,
    token: String,
    channel: Channel,
}

impl Caller {
    pub(crate) fn client(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub(crate) fn tenant(&self) -> String {
        self.tenant.to_owned()
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(crate) async fn gaps(&self, ask: ListGapsRequest) -> Vec<Gap> {
        let ask = ListGapsRequest { tenant: self.tenant(), ..ask };
        self.client().list_gaps(self.request(ask)).await.unwrap().into_inner().gaps
    }

    pub(crate) async fn gap(&self, gap_id: &str, min_version: u64) -> Gap {
        let ask = ListGapsRequest { gap_id: gap_id.into(), min_version, ..Default::default() };
        self.gaps(ask).await.pop().expect("the gap")
    }

    /// Every event of these types, oldest first.
    pub(crate) async fn events(&self, types: &[&str], min_version: u64) -> Vec<AuditRecord> {
        let filter = AuditFilter { types: types.iter().map(|t| (*t).to_owned()).collect(), ..Default::default() };
        let ask = ListEventsRequest { tenant: self.tenant(), filter: Some(filter), min_version, ..Default::default() };
        self.client().list_events(self.request(ask)).await.unwrap().into_inner().records
    }
}

/// The code of a refusal, as a program reads it.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let refusal = refusal_of(&answer.unwrap_err()).expect("a refusal with details");
    assert!(!refusal.next_action.is_empty(), "{refusal:?}");
    refusal.code
}
