//! A process as it is run: event log, database, local issuer, login, a gRPC call, a refusal that ends in the log.

use std::sync::Arc;

use crate::common::{eventually, listener};
use http::StatusCode;
use muster_domain::{
    TenantId,
    pb::{
        common::v1::{ActorKind, Role},
        execution::v1::{
            GetExecutionRequest, GetExecutionResponse, StopExecutionRequest, StopExecutionResponse,
            WatchExecutionRequest, WatchExecutionResponse,
            executor_service_client::ExecutorServiceClient,
            executor_service_server::{ExecutorService, ExecutorServiceServer},
        },
        identity::v1::{WhoAmIRequest, denial_event, identity_service_client::IdentityServiceClient},
    },
    refusal::refusal,
};
use muster_eventlog::{Database, Record, live_fold};
use muster_local::{nats::NatsServer, postgres::PostgresServer};
use muster_runtime::{Clock, Config, Context, Service, config::LOCAL_TENANT, issuer, serve::serve, status::refusal_of};
use tonic::{Code, Request, Response, Status, transport::Channel};

use muster_proto::execution::v1 as pb;

/// Refuses everything it is asked for, by a rule.
struct Refusing(Context);

#[tonic::async_trait]
impl ExecutorService for Refusing {
    type WatchExecutionStream = tokio_stream::Empty<Result<WatchExecutionResponse, Status>>;

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Result<Response<GetExecutionResponse>, Status> {
        self.0.authorize(request).await?;
        Ok(Response::new(GetExecutionResponse::default()))
    }

    async fn watch_execution(
        &self,
        _: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        panic!("a defect")
    }

    async fn stop_execution(
        &self,
        request: Request<StopExecutionRequest>,
    ) -> Result<Response<StopExecutionResponse>, Status> {
        let call = self.0.authorize(request).await?;
        let no = refusal("EXECUTION_FINISHED", "it is already over", "finished", "running", "look at its result");
        Err(self.0.deny(&call, &no, "orders-db", &call.message.request_id).await)
    }

    async fn pause_execution(
        &self,
        _: Request<pb::PauseExecutionRequest>,
    ) -> Result<Response<pb::PauseExecutionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn resume_execution(
        &self,
        _: Request<pb::ResumeExecutionRequest>,
    ) -> Result<Response<pb::ResumeExecutionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn decide_manual_step(
        &self,
        _: Request<pb::DecideManualStepRequest>,
    ) -> Result<Response<pb::DecideManualStepResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn note_execution(
        &self,
        _: Request<pb::NoteExecutionRequest>,
    ) -> Result<Response<pb::NoteExecutionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn preflight(&self, _: Request<pb::PreflightRequest>) -> Result<Response<pb::PreflightResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn acknowledge_cool_down(
        &self,
        _: Request<pb::AcknowledgeCoolDownRequest>,
    ) -> Result<Response<pb::AcknowledgeCoolDownResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

struct Whole {
    nats: NatsServer,
    postgres: PostgresServer,
    config: Config,
    context: Context,
    ended: tokio::task::JoinHandle<Result<(), muster_runtime::serve::ServeError>>,
    _directory: tempfile::TempDir,
}

impl Whole {
    async fn start() -> Self {
        let (nats, postgres) = (NatsServer::temporary().await.unwrap(), PostgresServer::temporary().await.unwrap());
        Database::prepare(&postgres.url(postgres.superuser(), "postgres")).await.unwrap();
        let (listener, directory) = (listener().await, tempfile::tempdir().unwrap());
        let mut config = Config::local();
        config.server.listen = listener.local_addr().unwrap();
        config.server.public_url = format!("http://{}", config.server.listen);
        config.use_local_issuer();
        config.local.directory = directory.path().to_owned();
        config.nats.url = nats.url();
        config.postgres.url = postgres.url("muster_service", "postgres");
        config.postgres.owner_url = Some(postgres.url("muster_owner", "postgres"));
        config.validate().unwrap();

        let context = Context::connect(config.clone(), &[]).await.unwrap();
        context.provision_tenant(&LOCAL_TENANT.parse().unwrap()).await.unwrap();
        let services = vec![
            Service::new("issuer").http(issuer::router(&config, Clock::system()).unwrap()),
            Service::new("executor").grpc(ExecutorServiceServer::new(Refusing(context.clone()))),
        ];
        let ended = tokio::spawn(serve(context.clone(), services, listener));
        Self { nats, postgres, config, context, ended, _directory: directory }
    }

    async fn channel(&self) -> Channel {
        Channel::from_shared(self.config.server.public_url.clone()).unwrap().connect().await.unwrap()
    }

    /// Logs in as somebody of the local profile.
    async fn token(&self, name: &str) -> String {
        crate::local_issuer::login(&self.config.auth.issuers[0].issuer, name).await
    }

    async fn is_ready(&self) -> bool {
        let response = reqwest::get(format!("{}/readyz", self.config.server.public_url)).await.unwrap();
        response.status() == StatusCode::OK
    }

    /// Every event of the demo tenant so far.
    async fn recorded(&self) -> Vec<Record> {
        let records = Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = records.clone();
        let token = tokio_util::sync::CancellationToken::new();
        let fold = live_fold(
            &self.context.log,
            &["denial"],
            move |record: &Record| kept.lock().unwrap().push(record.clone()),
            token.clone(),
        );
        fold.caught_up().await;
        token.cancel();
        records.lock().unwrap().clone()
    }
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn get(tenant: &str) -> GetExecutionRequest {
    GetExecutionRequest { tenant: tenant.to_owned(), request_id: "r-1".to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_logs_people_in_and_records_what_it_refuses() {
    let whole = Whole::start().await;
    let channel = whole.channel().await;
    let (olga, vera) = (whole.token("olga").await, whole.token("vera").await);

    let me = IdentityServiceClient::new(channel.clone())
        .who_am_i(with_token(WhoAmIRequest {}, &olga))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((me.name.as_str(), me.kind()), ("Olga (operator)", ActorKind::Person));
    assert_eq!(
        (me.tenants.len(), me.tenants[0].tenant.as_str(), me.tenants[0].roles().collect::<Vec<_>>()),
        (1, LOCAL_TENANT, vec![Role::Operator])
    );

    let mut executor = ExecutorServiceClient::new(channel);
    executor.get_execution(with_token(get(LOCAL_TENANT), &vera)).await.unwrap();
    assert_eq!(
        executor.get_execution(Request::new(get(LOCAL_TENANT))).await.unwrap_err().code(),
        Code::Unauthenticated
    );

    let stop =
        || StopExecutionRequest { tenant: LOCAL_TENANT.to_owned(), request_id: "r-1".to_owned(), ..Default::default() };
    let no_role = executor.stop_execution(with_token(stop(), &vera)).await.unwrap_err();
    assert_eq!(refusal_of(&no_role).unwrap().code, "ROLE_MISSING");
    let no_rule = executor.stop_execution(with_token(stop(), &olga)).await.unwrap_err();
    assert_eq!(
        (no_rule.code(), refusal_of(&no_rule).unwrap().code.as_str()),
        (Code::FailedPrecondition, "EXECUTION_FINISHED")
    );
    // A panic of a handler is an answer without internals, and the process goes on.
    let watch = WatchExecutionRequest { tenant: LOCAL_TENANT.to_owned(), ..Default::default() };
    let defect = executor.watch_execution(with_token(watch, &olga)).await.unwrap_err();
    assert_eq!(defect.code(), Code::Internal);
    assert!(!defect.message().contains("a defect"), "{defect}");
    for stranger in ["globex", "initech"] {
        assert_eq!(
            executor.get_execution(with_token(get(stranger), &olga)).await.unwrap_err().code(),
            Code::PermissionDenied
        );
    }

    let records = whole.recorded().await;
    let codes: Vec<String> = records.iter().map(denied_code).collect();
    assert_eq!(codes, ["ROLE_MISSING", "EXECUTION_FINISHED"]);
    let demo: TenantId = LOCAL_TENANT.parse().unwrap();
    assert!(records.iter().all(|r| r.tenant == demo && r.event_type == "access.denied" && r.version == 1));
    assert!(records[1].actor.id.ends_with("|olga"));
    whole.stop().await;
}

fn denied_code(record: &Record) -> String {
    let event: muster_domain::pb::identity::v1::DenialEvent = record.decode().unwrap();
    let Some(denial_event::Event::Denied(denied)) = event.event else { panic!("empty") };
    denied.refusal.unwrap().code
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_stores() {
    let mut whole = Whole::start().await;
    eventually("ready at first", || whole.is_ready()).await;
    whole.nats.kill().await.unwrap();
    eventually("not ready without nats-server", || async { !whole.is_ready().await }).await;
    whole.nats.restart().await.unwrap();
    eventually("ready again", || whole.is_ready()).await;
    whole.postgres.stop(muster_local::postgres::StopMode::Immediate).await.unwrap();
    eventually("not ready without PostgreSQL", || async { !whole.is_ready().await }).await;
    let body = reqwest::get(format!("{}/readyz", whole.config.server.public_url)).await.unwrap().text().await.unwrap();
    assert!(body.contains(r#""name":"database","ok":false"#), "{body}");
    assert!(!body.contains("127.0.0.1"), "no addresses for strangers: {body}");
    whole.stop().await;
}

impl Whole {
    async fn stop(self) {
        self.context.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}
