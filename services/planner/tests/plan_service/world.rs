//! The service as a process serves it, with people who call it, on a real log and real tables.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Aggregate, Refusal, TenantId,
    execution::Execution,
    pb::{
        common::v1::{Actor, ActorKind},
        execution::v1::{
            ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionSucceeded, Step, StepClaimed,
            execution_event::Event,
        },
        inventory::v1::{ApplyRequest, RetireDocumentRequest, planner_service_client::PlannerServiceClient},
        plan::v1::{
            GetPlanRequest, LintPlanRequest, LintPlanResponse, PlanRef, PlanView, PublishPlanRequest, RenderFormat,
            RenderPlanRequest, RenderPlanResponse, ReturnPlanRequest, SubmitPlanRequest,
            plan_service_client::PlanServiceClient,
        },
        schedule::v1::schedule_service_client::ScheduleServiceClient,
    },
    time::{duration_to_pb, to_pb},
};
use muster_eventlog::{
    EventLog, LogConfig, Meta,
    db::{Database, OWNER_ROLE, SERVICE_ROLE},
};
use muster_local::{nats::NatsServer, postgres::TemporaryDatabase};
use muster_runtime::{Clock, Config, Context, serve, status::refusal_of};
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tonic::{Request, Status, transport::Channel};
use uuid::Uuid;

use crate::issuer::Issuer;

pub(crate) const PLAN: &str = "shop-to-ams";

pub(crate) struct World {
    pub(crate) log: EventLog,
    pub(crate) url: String,
    issuer: Issuer,
    channel: Channel,
    _secrets: tempfile::TempDir,
    _shutdown: DropGuard,
    _nats: NatsServer,
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

impl World {
    /// With two resources in a group of tenant acme, and a sound plan for it, declared by Ada.
    pub(crate) async fn start() -> Self {
        let (nats, postgres, issuer) =
            tokio::join!(NatsServer::temporary(), TemporaryDatabase::create(), Issuer::start());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(OWNER_ROLE), &[muster_planner::MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(SERVICE_ROLE)).await.unwrap();
        let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
        log.provision().await.unwrap();
        for tenant in ["acme", "globex"] {
            log.provision_tenant(&tenant.parse().unwrap()).await.unwrap();
        }
        let secrets = tempfile::tempdir().unwrap();
        for (owner, name) in [("acme", "monitor"), ("acme", "execute"), ("acme", "replication")] {
            secret(&secrets, owner, name, "not to be seen");
        }
        secret(&secrets, "_system", "card", &muster_planner::new_signing_key().unwrap());

        let mut config = Config::default();
        config.auth.issuers = vec![issuer.config()];
        config.secrets.directory = Some(secrets.path().to_owned());
        config.planner.signing_key_ref = Some("file:card".into());
        let ctx = Context::assemble(config, Clock::system(), log.clone(), db).unwrap();
        let shutdown = ctx.shutdown.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = muster_planner::service(&ctx).await.unwrap();
        tokio::spawn(async move { serve(ctx, vec![service], listener).await.unwrap() });
        let channel = Channel::from_shared(url.clone()).unwrap().connect_lazy();
        let world =
            Self { log, url, issuer, channel, _secrets: secrets, _shutdown: shutdown.drop_guard(), _nats: nats };
        world.ada().apply(INVENTORY).await.unwrap();
        let version = world.ada().apply(&plan("")).await.unwrap();
        world.olga().get_in("acme", version).await.unwrap();
        world
    }

    pub(crate) fn person(&self, name: &str, groups: &[&str]) -> Caller {
        Caller { token: self.issuer.token(name, groups), channel: self.channel.clone() }
    }

    /// Declares.
    pub(crate) fn ada(&self) -> Caller {
        self.person("ada", &["admin"])
    }

    /// Submits.
    pub(crate) fn olga(&self) -> Caller {
        self.person("olga", &["operator"])
    }

    /// Publishes.
    pub(crate) fn ingo(&self) -> Caller {
        self.person("ingo", &["it"])
    }

    /// The plan as it is published.
    pub(crate) async fn published(&self) -> PlanRef {
        let submitted = self.olga().submit(1).await.unwrap();
        let hash = submitted.newest.unwrap().hash;
        self.ingo().publish(&hash).await.unwrap().published.unwrap()
    }

    /// A run that came to its end, as the executor writes it.
    pub(crate) async fn ran(&self, plan: &PlanRef, kind: &str, end: RunEnd) -> String {
        self.ran_ago(plan, kind, end, SignedDuration::ZERO).await
    }

    /// The same, by a clock that stood so far back.
    pub(crate) async fn ran_ago(&self, plan: &PlanRef, kind: &str, end: RunEnd, ago: SignedDuration) -> String {
        #[expect(clippy::disallowed_methods, reason = "a test makes its own ids")]
        let request_id = Uuid::now_v7().to_string();
        let mut events = vec![Event::Started(ExecutionStarted {
            request_id: request_id.clone(),
            r#type: kind.into(),
            group: "shop".into(),
            plan: Some(plan.clone()),
            steps: vec![Step { id: "move-orders-db/stop".into(), ..Step::default() }],
            executor: "e1".into(),
            started_at: Some(to_pb(Timestamp::now())),
            ..ExecutionStarted::default()
        })];
        if !matches!(end, RunEnd::FailedInChecks) {
            events.push(Event::StepClaimed(StepClaimed {
                step: "move-orders-db/stop".into(),
                attempt: 1,
                executor: "e1".into(),
                ..StepClaimed::default()
            }));
        }
        let finished_at = Some(to_pb(Timestamp::now()));
        events.push(match end {
            RunEnd::Succeeded(rto) => Event::Succeeded(ExecutionSucceeded {
                finished_at,
                rto_measured: Some(duration_to_pb(rto)),
                rto_met: true,
                ..ExecutionSucceeded::default()
            }),
            RunEnd::Failed | RunEnd::FailedInChecks => {
                Event::Failed(ExecutionFailed { finished_at, error: "it broke".into(), ..ExecutionFailed::default() })
            }
        });
        let id = request_id.parse().unwrap();
        for (index, event) in events.into_iter().enumerate() {
            let event = ExecutionEvent { event: Some(event) };
            self.log.append::<Execution>(&acme(), &id, index as u64 + 1, &meta(ago), &event).await.unwrap();
        }
        request_id
    }

    /// Waits until the plan looks so.
    pub(crate) async fn becomes(&self, what: &str, looks: impl Fn(&PlanView) -> bool) -> PlanView {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let view = self.olga().get().await.unwrap();
            if looks(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "never {what}: {view:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many events of this kind of aggregate there are.
    pub(crate) async fn version_of<A: Aggregate>(&self, id: &str) -> u64 {
        self.log.load::<A>(&acme(), &id.parse().unwrap()).await.unwrap().version
    }
}

pub(crate) enum RunEnd {
    Succeeded(SignedDuration),
    Failed,
    FailedInChecks,
}

fn secret(directory: &tempfile::TempDir, owner: &str, name: &str, text: &str) {
    let owned = directory.path().join(owner);
    std::fs::create_dir_all(&owned).unwrap();
    std::fs::write(owned.join(name), text).unwrap();
}

fn meta(ago: SignedDuration) -> Meta {
    let actor = Actor { id: "executor".into(), kind: ActorKind::Service.into(), ..Actor::default() };
    #[expect(clippy::disallowed_methods, reason = "a test makes its own ids")]
    let id = Uuid::now_v7;
    Meta { event_id: id(), actor, time: Timestamp::now() - ago, correlation: id(), causation: None }
}

/// Somebody with a token.
pub(crate) struct Caller {
    token: String,
    channel: Channel,
}

impl Caller {
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Channel> {
        ScheduleServiceClient::new(self.channel.clone())
    }

    fn plans(&self) -> PlanServiceClient<Channel> {
        PlanServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn apply(&self, manifest: &str) -> Result<u64, Status> {
        let ask = ApplyRequest { tenant: "acme".into(), manifest: manifest.into(), ..ApplyRequest::default() };
        let mut planner = PlannerServiceClient::new(self.channel.clone());
        Ok(planner.apply(self.request(ask)).await?.into_inner().version)
    }

    pub(crate) async fn retire(&self, kind: &str, name: &str) -> Result<u64, Status> {
        let kind = muster_planner::manifest::KINDS.iter().find(|(word, _)| *word == kind).unwrap().1;
        let ask = RetireDocumentRequest {
            tenant: "acme".into(),
            kind: kind.into(),
            name: name.into(),
            reason: "not needed".into(),
            ..RetireDocumentRequest::default()
        };
        let mut planner = PlannerServiceClient::new(self.channel.clone());
        Ok(planner.retire_document(self.request(ask)).await?.into_inner().version)
    }

    pub(crate) async fn get(&self) -> Result<PlanView, Status> {
        self.get_in("acme", 0).await
    }

    pub(crate) async fn get_in(&self, tenant: &str, min_version: u64) -> Result<PlanView, Status> {
        let ask = GetPlanRequest { tenant: tenant.into(), name: PLAN.into(), min_version };
        Ok(self.plans().get_plan(self.request(ask)).await?.into_inner().plan.unwrap())
    }

    pub(crate) async fn submit(&self, plan_version: u64) -> Result<PlanView, Status> {
        let ask = SubmitPlanRequest {
            tenant: "acme".into(),
            name: PLAN.into(),
            plan_version,
            ..SubmitPlanRequest::default()
        };
        Ok(self.plans().submit_plan(self.request(ask)).await?.into_inner().plan.unwrap())
    }

    pub(crate) async fn return_(&self, reason: &str) -> Result<PlanView, Status> {
        let ask = ReturnPlanRequest {
            tenant: "acme".into(),
            name: PLAN.into(),
            reason: reason.into(),
            ..ReturnPlanRequest::default()
        };
        Ok(self.plans().return_plan(self.request(ask)).await?.into_inner().plan.unwrap())
    }

    pub(crate) async fn publish(&self, hash: &str) -> Result<PlanView, Status> {
        let ask = PublishPlanRequest {
            tenant: "acme".into(),
            name: PLAN.into(),
            hash: hash.into(),
            ..PublishPlanRequest::default()
        };
        Ok(self.plans().publish_plan(self.request(ask)).await?.into_inner().plan.unwrap())
    }

    pub(crate) async fn lint(&self, name: &str, manifest: &str) -> Result<LintPlanResponse, Status> {
        let ask = LintPlanRequest { tenant: "acme".into(), name: name.into(), manifest: manifest.into() };
        Ok(self.plans().lint_plan(self.request(ask)).await?.into_inner())
    }

    pub(crate) async fn render(&self, format: RenderFormat) -> Result<RenderPlanResponse, Status> {
        let ask = RenderPlanRequest { tenant: "acme".into(), name: PLAN.into(), format: format.into() };
        Ok(self.plans().render_plan(self.request(ask)).await?.into_inner())
    }

    pub(crate) async fn list(&self, size: u32) -> Vec<String> {
        use muster_domain::pb::{common::v1::PageRequest, plan::v1::ListPlansRequest};
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let page = Some(PageRequest { page_size: size, page_token: token });
            let ask = ListPlansRequest { tenant: "acme".into(), page, min_version: 0 };
            let answer = self.plans().list_plans(self.request(ask)).await.unwrap().into_inner();
            names.extend(answer.plans.into_iter().map(|plan| plan.name));
            token = answer.page.unwrap().next_page_token;
            if token.is_empty() {
                return names;
            }
        }
    }
}

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> Refusal {
    refusal_of(&result.unwrap_err()).expect("a refusal")
}

const INVENTORY: &str = include_str!("testdata/inventory.yaml");
const SHOP: &str = include_str!("testdata/plan.yaml");

/// The plan with a remark, so that it is another version.
pub(crate) fn plan(description: &str) -> String {
    SHOP.replace("description: Moves the shop", &format!("description: Moves the shop {description}"))
}

/// A member of the group, changed.
pub(crate) fn changed_member() -> String {
    let documents: Vec<&str> = INVENTORY.split("---\n").collect();
    let member = documents.iter().find(|text| text.contains("name: orders-db}")).unwrap();
    assert!(member.contains("rto: 1h"));
    member.replace("rto: 1h", "rto: 2h")
}
