//! The service as a process serves it, people who call it, and what the log keeps.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Refusal, TenantId,
    inventory::{self, Declared, document_id},
    pb::{
        common::v1::{Actor, ActorKind, Environment, Tier},
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
        inventory::v1::{
            Credential, Document, GroupMember, GroupSpec, Kind, PolicySpec, PostgresqlNode, PostgresqlTarget,
            ResourceSpec, document, resource_spec::Platform,
        },
        request::v1::{
            ApproveRequestRequest, GetRequestRequest, ListRequestsRequest, ListRequestsResponse, OpenRequestRequest,
            RequestType, RequestView, StartRequestRequest, approval_service_client::ApprovalServiceClient,
        },
    },
    time::duration_to_pb,
};
use muster_eventlog::{
    EventLog, LiveFold, LogConfig, Meta,
    db::{Database, OWNER_ROLE, SERVICE_ROLE},
    live_fold,
};
use muster_local::{nats::NatsServer, postgres::TemporaryDatabase};
use muster_runtime::{Clock, Config, Context, IntentLinks, serve, status::refusal_of};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Status, transport::Channel};
use uuid::Uuid;

use crate::issuer::Issuer;

pub(crate) use muster_local::eventually;

pub(crate) const RESOURCE: &str = "orders-db";
pub(crate) const PHRASE: &str = "switchover orders-db from west to east";

pub(crate) struct World {
    pub log: EventLog,
    pub db: Database,
    issuer: Issuer,
    channel: Channel,
    denials: Arc<Mutex<Vec<AttemptDenied>>>,
    pub links: IntentLinks,
    _secrets: tempfile::TempDir,
    _fold: LiveFold,
    _shutdown: DropGuard,
    _nats: NatsServer,
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

impl World {
    /// With a tier 1 resource in tenant acme.
    pub(crate) async fn start() -> Self {
        let (nats, postgres, issuer) =
            tokio::join!(NatsServer::temporary(), TemporaryDatabase::create(), Issuer::start());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(OWNER_ROLE), &[muster_approval::MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(SERVICE_ROLE)).await.unwrap();
        let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
        log.provision().await.unwrap();
        for tenant in ["acme", "globex"] {
            log.provision_tenant(&tenant.parse().unwrap()).await.unwrap();
        }

        let mut config = Config::default();
        config.auth.issuers = vec![issuer.config()];
        let secrets = secrets_with_a_key_of_links();
        config.secrets.directory = Some(secrets.path().to_owned());
        config.approval.intent_key_refs = vec!["file:links".into()];
        let ctx = Context::assemble(config, Clock::system(), log.clone(), db.clone()).unwrap();
        let links = IntentLinks::new(&ctx.config.approval, ctx.secrets.clone());
        let shutdown = ctx.shutdown.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = muster_approval::service(&ctx);
        tokio::spawn(async move { serve(ctx, vec![service], listener).await.unwrap() });

        let (denials, fold) = follow_denials(&log, shutdown.clone());
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        let world = Self {
            log,
            db,
            issuer,
            channel,
            denials,
            links,
            _secrets: secrets,
            _fold: fold,
            _shutdown: shutdown.drop_guard(),
            _nats: nats,
        };
        world.declare_resource(Tier::Tier1).await;
        world
    }

    pub(crate) fn person(&self, name: &str, groups: &[&str]) -> Caller {
        Caller { token: self.issuer.token(name, groups, false), channel: self.channel.clone() }
    }

    /// Logged in so many seconds ago, with a second factor.
    pub(crate) fn stepped_up(&self, name: &str, groups: &[&str], seconds_ago: i64) -> Caller {
        Caller { token: self.issuer.step_up_token(name, groups, seconds_ago), channel: self.channel.clone() }
    }

    pub(crate) fn id_of(&self, name: &str) -> String {
        self.issuer.person(name)
    }

    pub(crate) fn machine(&self, name: &str, groups: &[&str]) -> Caller {
        Caller { token: self.issuer.token(name, groups, true), channel: self.channel.clone() }
    }

    pub(crate) fn olga(&self) -> Caller {
        self.person("olga", &["operator"])
    }

    pub(crate) fn ingo(&self) -> Caller {
        self.person("ingo", &["it"])
    }

    pub(crate) fn bea(&self) -> Caller {
        self.person("bea", &["business"])
    }

    /// Opened by Olga and approved by both.
    pub(crate) async fn approved(&self) -> RequestView {
        let opened = self.olga().open("").await.unwrap();
        self.ingo().approve(&opened.request_id, "").await.unwrap();
        self.bea().approve(&opened.request_id, "").await.unwrap()
    }

    /// Waits until the log has this many denials: (code, method, resource, request).
    pub(crate) async fn denials(&self, count: usize) -> Vec<(String, String, String, String)> {
        eventually("the denials are in the log", async || self.denials.lock().unwrap().len() >= count).await;
        let short = |method: &str| method.rsplit('/').next().unwrap().to_owned();
        let denials = self.denials.lock().unwrap();
        denials
            .iter()
            .map(|d| (d.refusal.clone().unwrap().code, short(&d.method), d.resource.clone(), d.request_id.clone()))
            .collect()
    }

    pub(crate) async fn declare_resource(&self, tier: Tier) {
        let node = |name: &str, site: &str| PostgresqlNode {
            name: name.into(),
            site: site.into(),
            host: "127.0.0.1".into(),
            port: 5432,
            agent: format!("agent-{name}"),
        };
        let spec = ResourceSpec {
            tier: tier.into(),
            environment: Environment::Production.into(),
            primary_site: "west".into(),
            dr_site: "east".into(),
            platform: Some(Platform::Postgresql(PostgresqlTarget {
                nodes: vec![node("a", "west"), node("b", "east")],
                execute: Some(Credential { user: "exec".into(), password_ref: "file:exec".into() }),
                ..Default::default()
            })),
            ..Default::default()
        };
        self.declare(Kind::Resource, RESOURCE, document::Spec::ResourceSpec(spec)).await;
    }

    pub(crate) async fn declare_policy(&self, name: &str, spec: PolicySpec) {
        self.declare(Kind::Policy, name, document::Spec::PolicySpec(spec)).await;
    }

    /// Another resource like the first one, and the group of both.
    pub(crate) async fn declare_shop(&self) {
        let resource = self.log.document(&acme(), Kind::Resource, RESOURCE).await.unwrap().unwrap();
        self.declare(Kind::Resource, "cart", resource.spec.unwrap()).await;
        let member = |resource: &str, depends_on: &[&str]| GroupMember {
            resource: resource.into(),
            depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
        };
        let members = vec![member("cart", &[RESOURCE]), member(RESOURCE, &[])];
        let spec = GroupSpec { members, ..Default::default() };
        self.declare(Kind::Group, "shop", document::Spec::GroupSpec(spec)).await;
    }

    /// The request as an executor finds it in the log, and what its proof rests on.
    pub(crate) async fn proven(&self, request_id: &str) -> Result<(), String> {
        let request = self.log.load::<muster_domain::request::Request>(&acme(), &request_id.parse().unwrap()).await;
        let request = request.unwrap().state;
        let witness = self.log.witness(&acme(), &request).await.unwrap();
        muster_domain::request::proven_by(&request, &witness).map(drop).map_err(|refusal| refusal.rule)
    }

    pub(crate) async fn declare(&self, kind: Kind, name: &str, spec: document::Spec) {
        let document = Document {
            kind: kind.into(),
            tenant: "acme".into(),
            name: name.into(),
            spec: Some(spec),
            ..Default::default()
        };
        let decide = |declared: &Declared| -> Result<_, Refusal> {
            Ok(inventory::declare(declared, &document, "ada", Timestamp::now()))
        };
        self.log
            .decide::<Declared, Refusal>(&acme(), &document_id(kind, name).unwrap(), &meta(), decide)
            .await
            .unwrap();
    }
}

pub(crate) fn seconds(seconds: i64) -> Option<muster_domain::time::PbDuration> {
    Some(duration_to_pb(SignedDuration::from_secs(seconds)))
}

/// Of an event that another service writes.
pub(crate) fn meta() -> Meta {
    let actor =
        Actor { id: "service:test".into(), name: "test".into(), kind: ActorKind::Service.into(), roles: vec![] };
    Meta { event_id: Uuid::now_v7(), actor, time: Timestamp::now(), correlation: Uuid::now_v7(), causation: None }
}

fn secrets_with_a_key_of_links() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("_system")).unwrap();
    std::fs::write(directory.path().join("_system/links"), "a key of links, with more than 32 bytes").unwrap();
    directory
}

fn follow_denials(log: &EventLog, stop: CancellationToken) -> (Arc<Mutex<Vec<AttemptDenied>>>, LiveFold) {
    let denials = Arc::new(Mutex::new(Vec::new()));
    let folded = denials.clone();
    let fold = live_fold(
        log,
        &["denial"],
        move |record| {
            let Some(denial_event::Event::Denied(denied)) = record.decode::<DenialEvent>().unwrap().event else {
                return;
            };
            folded.lock().unwrap().push(denied);
        },
        stop,
    );
    (denials, fold)
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Caller {
    token: String,
    channel: Channel,
}

impl Caller {
    pub(crate) fn client(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.channel.clone())
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(crate) async fn open(&self, key: &str) -> Result<RequestView, Status> {
        self.open_with(|_| {}, key).await
    }

    pub(crate) async fn open_with(
        &self,
        change: impl FnOnce(&mut OpenRequestRequest),
        key: &str,
    ) -> Result<RequestView, Status> {
        let mut ask = OpenRequestRequest {
            tenant: "acme".into(),
            r#type: RequestType::Switchover.into(),
            resource: RESOURCE.into(),
            target_site: "east".into(),
            reason: "patch night".into(),
            ticket: "CHG-1".into(),
            idempotency_key: key.into(),
            ..OpenRequestRequest::default()
        };
        change(&mut ask);
        Ok(self.client().open_request(self.request(ask)).await?.into_inner().request.unwrap())
    }

    pub(crate) async fn approve(&self, request_id: &str, key: &str) -> Result<RequestView, Status> {
        let ask = ApproveRequestRequest {
            tenant: "acme".into(),
            request_id: request_id.into(),
            idempotency_key: key.into(),
            ..Default::default()
        };
        Ok(self.client().approve_request(self.request(ask)).await?.into_inner().request.unwrap())
    }

    pub(crate) async fn start(&self, request_id: &str, confirmation: &str) -> Result<RequestView, Status> {
        let ask = StartRequestRequest {
            tenant: "acme".into(),
            request_id: request_id.into(),
            confirmation: confirmation.into(),
            ..Default::default()
        };
        Ok(self.client().start_request(self.request(ask)).await?.into_inner().request.unwrap())
    }

    pub(crate) async fn get(&self, request_id: &str) -> Result<RequestView, Status> {
        let ask = GetRequestRequest { tenant: "acme".into(), request_id: request_id.into(), ..Default::default() };
        Ok(self.client().get_request(self.request(ask)).await?.into_inner().request.unwrap())
    }

    pub(crate) async fn list(&self, ask: ListRequestsRequest) -> Result<ListRequestsResponse, Status> {
        let ask = ListRequestsRequest { tenant: "acme".into(), ..ask };
        Ok(self.client().list_requests(self.request(ask)).await?.into_inner())
    }
}

/// The code of a refusal, as a program reads it.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    refusal(answer).code
}

pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> Refusal {
    let refusal = refusal_of(&answer.unwrap_err()).expect("a refusal with details");
    assert!(!refusal.next_action.is_empty(), "{refusal:?}");
    refusal
}
