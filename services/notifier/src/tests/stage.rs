//! One log, one database, one tenant, and the service on them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::inventory::{Declared, declare, document_id};
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::pb::inventory::v1::{Document, Kind, NotificationRouteSpec, document::Spec};
use muster_domain::pb::notification::v1::{DeliveryView, ListDeliveriesRequest};
use muster_domain::pb::readiness::v1::ReadinessEvent;
use muster_domain::readiness::Readiness;
use muster_domain::{Aggregate, AggregateId, TenantId};
use muster_eventlog::db::{OWNER_ROLE, SERVICE_ROLE};
use muster_eventlog::{Database, EventLog, LogConfig, Meta, position_of};
use muster_local::nats::NatsServer;
use muster_local::postgres::TemporaryDatabase;
use muster_runtime::{Clock, Config, Context, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::far_side::FarSide;
use crate::channels::Channel;

/// Ends what hangs: far longer than anything takes on a machine that is busy with other tests.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// In which messages are counted and told as one: long enough for all of a few to come in it on such a machine.
pub(super) const ONE_WINDOW: SignedDuration = SignedDuration::from_secs(8);

pub(super) struct Stage {
    pub(super) ctx: Context,
    pub(super) tenant: TenantId,
    pub(super) mail: FarSide,
    pub(super) hook: FarSide,
    /// Channels beside those two.
    pub(super) more: Vec<Arc<dyn Channel>>,
    pub(super) postgres: TemporaryDatabase,
    _nats: NatsServer,
    running: Option<JoinHandle<()>>,
    /// Where the service answers.
    pub(super) url: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::configured(Config::default()).await
    }

    pub(super) async fn configured(mut config: Config) -> Self {
        let (nats, postgres) = tokio::join!(NatsServer::temporary(), TemporaryDatabase::create());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
        log.provision().await.unwrap();
        let tenant: TenantId = "acme".parse().unwrap();
        log.provision_tenant(&tenant).await.unwrap();
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(OWNER_ROLE), &[crate::MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(SERVICE_ROLE)).await.unwrap();
        config.server.public_url = "https://muster.example".to_owned();
        let ctx = Context::assemble(config, Clock::system(), log, db).unwrap();
        let (mail, hook) = (FarSide::new("email"), FarSide::new("webhook"));
        Self { ctx, tenant, mail, hook, more: Vec::new(), postgres, _nats: nats, running: None, url: String::new() }
    }

    pub(super) fn channels(&self) -> Vec<Arc<dyn Channel>> {
        let own: [Arc<dyn Channel>; 2] = [Arc::new(self.mail.clone()), Arc::new(self.hook.clone())];
        own.into_iter().chain(self.more.iter().cloned()).collect()
    }

    /// Runs the service until `stop`.
    pub(super) async fn start(&mut self) {
        self.ctx.shutdown = CancellationToken::new();
        let service = crate::service_with(&self.ctx, self.channels());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let around = serve::Surroundings {
            config: self.ctx.config.server.clone(),
            health: self.ctx.health.clone(),
            shutdown: self.ctx.shutdown.clone(),
        };
        self.running =
            Some(tokio::spawn(async move { serve::serve_on(around, vec![service], listener).await.unwrap() }));
    }

    /// As after a lost database: the reactor begins at the first event.
    pub(super) async fn forget_what_was_reacted_to(&self) {
        let handler = position_of("notifier.messages");
        let delete = format!("DELETE FROM eventlog.position WHERE handler = '{handler}' RETURNING tenant");
        assert_eq!(self.postgres.sql(&delete).await.unwrap().trim(), self.tenant.as_str());
    }

    pub(super) async fn stop(&mut self) {
        self.ctx.shutdown.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
    }

    pub(super) async fn route(&self, name: &str, spec: NotificationRouteSpec) -> u64 {
        self.declare(Kind::NotificationRoute, name, Spec::NotificationRouteSpec(spec)).await
    }

    pub(super) async fn declare(&self, kind: Kind, name: &str, spec: Spec) -> u64 {
        let id = document_id(kind, name).unwrap();
        let document = Document {
            kind: kind.into(),
            tenant: self.tenant.to_string(),
            name: name.to_owned(),
            spec: Some(spec),
            ..Document::default()
        };
        let now = Timestamp::now();
        let decide = |declared: &Declared| Ok::<_, std::convert::Infallible>(declare(declared, &document, "ada", now));
        self.ctx.log.decide::<Declared, _>(&self.tenant, &id, &self.meta(now), decide).await.unwrap().sequence
    }

    /// Appends a readiness event that happened at `time`.
    pub(super) async fn readiness(&self, event: ReadinessEvent, time: Timestamp) -> Uuid {
        self.append::<Readiness>("orders-db", event, time).await
    }

    pub(super) async fn append<A: Aggregate>(&self, id: &str, event: A::Event, time: Timestamp) -> Uuid {
        let id: AggregateId = id.parse().unwrap();
        let version = self.ctx.log.load::<A>(&self.tenant, &id).await.unwrap().version;
        self.ctx.log.append::<A>(&self.tenant, &id, version + 1, &self.meta(time), &event).await.unwrap().event_id
    }

    pub(super) fn meta(&self, time: Timestamp) -> Meta {
        Meta { time, ..self.ctx.service_meta("test", Uuid::now_v7(), Uuid::now_v7(), None) }
    }

    pub(super) async fn list(&self) -> Vec<DeliveryView> {
        let ask = ListDeliveriesRequest { tenant: self.tenant.to_string(), ..ListDeliveriesRequest::default() };
        crate::api::list(&self.ctx, &self.tenant, &ask).await.unwrap().deliveries
    }

    /// Every delivery of a route, page by page.
    pub(super) async fn whole_list(&self, route: &str) -> Vec<DeliveryView> {
        let (mut token, mut all) = (String::new(), Vec::new());
        loop {
            let page = Some(PageRequest { page_size: 500, page_token: token });
            let ask = ListDeliveriesRequest {
                tenant: self.tenant.to_string(),
                route: route.to_owned(),
                page,
                ..ListDeliveriesRequest::default()
            };
            let answer = crate::api::list(&self.ctx, &self.tenant, &ask).await.unwrap();
            all.extend(answer.deliveries);
            token = answer.page.unwrap().next_page_token;
            if token.is_empty() {
                return all;
            }
        }
    }

    /// Asks the list until it holds; fails after [`LIMIT`] and shows the list.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&[DeliveryView]) -> bool) -> Vec<DeliveryView> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let list = self.list().await;
            if holds(&list) {
                return list;
            }
            assert!(tokio::time::Instant::now() < deadline, "never came true: {what}; the list: {list:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
