//! Everything around an executor: its stores, its configuration, the pair it may act on.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::{Execution, Reservation},
    inventory::{self, Declared, document_id},
    pb::{
        common::v1::{Environment, Tier},
        execution::v1::{ExecutionState, ExecutionView},
        inventory::v1::{Document, Kind, PostgresqlTarget, ResourceSpec, document, resource_spec::Platform},
    },
    time::duration_to_pb,
};
use muster_eventlog::{
    EventLog, LogConfig,
    db::{Database, OWNER_ROLE, SERVICE_ROLE},
};
use muster_executor::FindMover;
use muster_local::{
    nats::NatsServer,
    postgres::{PostgresServer, TemporaryDatabase},
};
use muster_runtime::{
    Clock, Config, Context, Service,
    config::{Agent, AgentKind, Executor},
    serve,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::pair::{Pair, SECRETS};

pub(crate) use muster_local::eventually;

pub(crate) const RESOURCE: &str = "ledger";

pub(crate) struct World {
    pub pair: Pair,
    pub log: EventLog,
    pub config: Config,
    pub nats: NatsServer,
    /// The read models'.
    database: TemporaryDatabase,
    _secrets: tempfile::TempDir,
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        let (pair, (nats, database)) = tokio::join!(Pair::start(), stores());
        let secrets = tempfile::tempdir().unwrap();
        std::fs::create_dir(secrets.path().join("acme")).unwrap();
        for (name, content) in SECRETS {
            std::fs::write(secrets.path().join("acme").join(name), content).unwrap();
        }
        let mut config = Config::local();
        config.local.directory = secrets.path().join("issuer");
        config.secrets.directory = Some(secrets.path().to_owned());
        config.executor = agents(&pair);
        let log = connect(&nats.url()).await;
        log.provision().await.unwrap();
        log.provision_tenant(&acme()).await.unwrap();
        let world = Self { pair, log, config, nats, database, _secrets: secrets };
        world.declare(world.pair.target()).await;
        world
    }

    pub(crate) fn database_url(&self) -> String {
        self.database.url(SERVICE_ROLE)
    }

    /// An executor in this process, until it is dropped.
    pub(crate) async fn executor(&self, movers: FindMover) -> RunningExecutor {
        RunningExecutor::start(&self.nats.url(), &self.database_url(), self.config.clone(), movers).await
    }

    /// Declares the resource as the planner does.
    pub(crate) async fn declare(&self, target: PostgresqlTarget) {
        self.declare_resource(RESOURCE, spec_of(target)).await;
    }

    pub(crate) async fn declare_resource(&self, name: &str, spec: ResourceSpec) {
        self.declare_document(Kind::Resource, name, document::Spec::ResourceSpec(spec)).await;
    }

    pub(crate) async fn declare_document(&self, kind: Kind, name: &str, spec: document::Spec) {
        let document = Document {
            kind: kind.into(),
            tenant: "acme".into(),
            name: name.into(),
            spec: Some(spec),
            ..Default::default()
        };
        let id = document_id(kind, name).unwrap();
        let meta = crate::people::meta(&crate::people::person("Ada"));
        let decide = |declared: &Declared| -> Result<_, Refusal> {
            Ok(inventory::declare(declared, &document, "Ada", Timestamp::now()))
        };
        self.log.decide::<Declared, Refusal>(&acme(), &id, &meta, decide).await.unwrap();
    }

    /// A document as it is declared now.
    pub(crate) async fn document(&self, kind: Kind, name: &str) -> Document {
        let id = document_id(kind, name).unwrap();
        self.log.load::<Declared>(&acme(), &id).await.unwrap().state.document.unwrap()
    }

    pub(crate) async fn execution(&self, request: &AggregateId) -> ExecutionView {
        self.log.load::<Execution>(&acme(), request).await.unwrap().state.view
    }

    /// Who holds the resource.
    pub(crate) async fn held_by(&self) -> Option<String> {
        self.reservation(RESOURCE).await.held_by
    }

    pub(crate) async fn reservation(&self, name: &str) -> Reservation {
        self.log.load::<Reservation>(&acme(), &name.parse().unwrap()).await.unwrap().state
    }

    /// Waits for the end of a run, and for the resource to be free again.
    pub(crate) async fn ended(&self, request: &AggregateId) -> ExecutionView {
        eventually("the run ends and gives the resource back", async || {
            let state = self.execution(request).await.state();
            let ended = !matches!(state, ExecutionState::Unspecified | ExecutionState::Running);
            ended && self.held_by().await.as_deref() != Some(request.as_str())
        })
        .await;
        self.execution(request).await
    }
}

/// A tier 1 resource in production, at home in the west.
pub(crate) fn spec_of(target: PostgresqlTarget) -> ResourceSpec {
    ResourceSpec {
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        owner: "dba".into(),
        primary_site: "west".into(),
        dr_site: "east".into(),
        rpo: Some(duration_to_pb(SignedDuration::from_secs(30))),
        rto: Some(duration_to_pb(SignedDuration::from_mins(5))),
        platform: Some(Platform::Postgresql(target)),
        ..Default::default()
    }
}

/// NATS and the read models' database.
async fn stores() -> (NatsServer, TemporaryDatabase) {
    let (nats, database) = tokio::join!(NatsServer::temporary(), TemporaryDatabase::create());
    let (nats, database) = (nats.unwrap(), database.unwrap());
    Database::prepare(&database.superuser_url()).await.unwrap();
    Database::migrate(&database.url(OWNER_ROLE), &[]).await.unwrap();
    (nats, database)
}

async fn connect(url: &str) -> EventLog {
    EventLog::connect(&LogConfig { url: url.to_owned(), ..LogConfig::default() }).await.unwrap()
}

fn agents(pair: &Pair) -> Executor {
    let agents = [("agent-a", &pair.a), ("agent-b", &pair.b)];
    Executor { agents: agents.map(|(name, server)| (name.to_owned(), agent_of(server))).into(), ..Executor::default() }
}

pub(crate) fn agent_of(server: &PostgresServer) -> Agent {
    Agent {
        tenant: "acme".into(),
        kind: AgentKind::Postgresql,
        data_directory: server.dir().to_owned(),
        bin_directory: server.bin_dir().to_owned(),
        ..Agent::default()
    }
}

/// The service as a process serves it, with the local issuer for logins.
pub(crate) struct RunningExecutor {
    shutdown: CancellationToken,
    pub url: String,
    pub task: JoinHandle<()>,
}

impl RunningExecutor {
    pub(crate) async fn start(nats_url: &str, database_url: &str, mut config: Config, movers: FindMover) -> Self {
        let log = connect(nats_url).await;
        let db = Database::connect(database_url).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        config.server.public_url.clone_from(&url);
        config.use_local_issuer();
        // The demo tenant's people, in the tenant of these tests.
        config.auth.issuers.iter_mut().flat_map(|issuer| &mut issuer.mappings).for_each(|m| m.tenant = "acme".into());
        let issuer = muster_runtime::issuer::router(&config, Clock::system()).unwrap();
        let ctx = Context::assemble(config, Clock::system(), log, db).unwrap();
        let services = vec![muster_executor::service_for(&ctx, movers), Service::new("issuer").http(issuer)];
        let shutdown = ctx.shutdown.clone();
        let task = tokio::spawn(async move { serve(ctx, services, listener).await.unwrap() });
        Self { shutdown, url, task }
    }
}

impl Drop for RunningExecutor {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
