//! What every service of a process shares.

use std::{fmt, sync::Arc, time::Duration};

use muster_domain::{
    Refusal, TenantId,
    pb::common::v1::{Actor, ActorKind},
};
use muster_eventlog::{
    EventLog, LogConfig, LogError, Meta,
    db::{Database, DatabaseError, Schema},
    keyring::{FileKeyring, Keyring, KeyringError},
    run_self_audit,
};
use muster_logstore::{LogStore, StoreError};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use url::Url;
use uuid::Uuid;

use crate::{
    Access, Call, Clock, Config, Health, SecretResolver, TenantScoped,
    access::LogSink,
    auth::{AuthError, Authenticator, Caller},
    health::SHARED,
    published::PublishedFiles,
    secrets::SecretError,
    tenants::Tenants,
};

/// NATS and PostgreSQL may still be starting beside us.
const START_PATIENCE: Duration = Duration::from_secs(60);
const TENANTS_AGE: Duration = Duration::from_secs(60);
const START_PAUSE: Duration = Duration::from_secs(1);

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    LogStore(#[from] StoreError),
    #[error(
        "{key} cannot take the password of {reference}: it is not a URL with a host. Next: write it as postgres://user@host:port/database"
    )]
    Password { key: &'static str, reference: String },
}

/// Handles that every part of a service needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub config: Arc<Config>,
    pub log: EventLog,
    pub db: Database,
    pub clock: Clock,
    pub auth: Authenticator,
    pub access: Access,
    pub secrets: SecretResolver,
    /// Where the transparency logs are, for reading; the audit service alone writes. `None`: none are kept.
    pub log_store: Option<LogStore>,
    pub tenants: Tenants,
    pub health: Health,
    /// Cancelled when the process is to stop: background tasks end soon after.
    pub shutdown: CancellationToken,
    /// Names this process among its siblings, in leases and logs.
    pub instance: String,
}

impl Context {
    /// Connects to the log and the database (waiting up to a minute for each), runs the migrations when
    /// `postgres.owner_url` is set, and creates the log's own streams.
    pub async fn connect(config: Config, schemas: &[Schema]) -> Result<Self, StartError> {
        let (clock, secrets) = (Clock::system(), SecretResolver::new(&config.secrets));
        let instance = instance_name(&clock);
        let log_config = log_config(&config, &secrets, &instance)?;
        let log = patiently("the event log", || EventLog::connect(&log_config)).await?;
        patiently("the event log", || log.provision()).await?;
        // Its admins register all other tenants: somebody has to be first.
        let operating = TenantId::operating();
        patiently("the event log", || log.provision_tenant(&operating)).await?;
        if let Some(url) = owner_url(&config, &secrets)? {
            patiently("the database", || Database::migrate(url.expose_secret(), schemas)).await?;
        }
        let url =
            with_password("postgres.url", &config.postgres.url, config.postgres.password_ref.as_deref(), &secrets)?;
        let db = patiently("the database", || Database::connect(url.expose_secret())).await?;
        let context = Self { instance, ..Self::assemble(config, clock, log, db)? };
        context.check_schemas(schemas);
        context.look_up_what_was_acknowledged();
        Ok(context)
    }

    /// In the background, as long as the process runs.
    fn look_up_what_was_acknowledged(&self) {
        let published = self.log_store.clone().map(|store| PublishedFiles::of(store, &self.log));
        tokio::spawn(run_self_audit(self.log.clone(), published, self.shutdown.clone()));
    }

    /// From parts that are already there, for tests.
    pub fn assemble(config: Config, clock: Clock, log: EventLog, db: Database) -> Result<Self, StartError> {
        let auth = Authenticator::new(&config.auth, clock.clone())?;
        let tenants = Tenants::new(log.clone());
        let sink = LogSink { log: log.clone(), tenants: tenants.clone() };
        let context = Self {
            access: Access::new(auth.clone(), clock.clone(), sink),
            tenants,
            secrets: SecretResolver::new(&config.secrets),
            log_store: config.audit.store.as_deref().map(LogStore::open).transpose()?,
            health: Health::new(),
            shutdown: CancellationToken::new(),
            instance: instance_name(&clock),
            config: Arc::new(config),
            log,
            db,
            clock,
            auth,
        };
        context.check_stores();
        Ok(context)
    }

    /// Authenticates and authorizes a call. A refusal is recorded in the tenant's log and is the returned status.
    pub async fn authorize<T: TenantScoped>(&self, request: tonic::Request<T>) -> Result<Call<T>, Status> {
        self.access.authorize(request).await
    }

    /// Who calls, for what belongs to no tenant.
    pub async fn authenticate(&self, headers: &http::HeaderMap) -> Result<Caller, Status> {
        self.access.authenticate(headers).await
    }

    /// Records a refusal of the domain's rules and makes its status: `Err(ctx.deny(&call, &refusal, …).await)`.
    pub async fn deny<T>(&self, call: &Call<T>, refusal: &Refusal, resource: &str, request_id: &str) -> Status {
        self.access.deny(call, refusal, resource, request_id).await
    }

    /// Only records it.
    pub async fn record_denial<T>(&self, call: &Call<T>, refusal: &Refusal, resource: &str, request_id: &str) {
        self.access.record_denial(call, refusal, resource, request_id).await;
    }

    /// What goes with an event that a part of Muster decides by itself. `event_id`: derived from what it reacts to.
    pub fn service_meta(&self, service: &str, event_id: Uuid, correlation: Uuid, causation: Option<Uuid>) -> Meta {
        Meta { event_id, actor: service_actor(service), time: self.clock.now(), correlation, causation }
    }

    /// Registers a tenant's log. Idempotent.
    pub async fn provision_tenant(&self, tenant: &TenantId) -> Result<(), LogError> {
        self.log.provision_tenant(tenant).await
    }

    fn check_stores(&self) {
        let (log, tenants) = (self.log.clone(), self.tenants.clone());
        self.health.register(SHARED, "event log", move || {
            let (log, tenants) = (log.clone(), tenants.clone());
            async move {
                if !log.is_connected() {
                    return Err("not connected to nats-server".to_owned());
                }
                // A read through JetStream: the connection alone says nothing about it.
                jetstream_answers(&log, &tenants).await.map_err(|_| "JetStream does not answer".to_owned())
            }
        });
        let db = self.db.clone();
        self.health.register(SHARED, "database", move || {
            let db = db.clone();
            async move {
                let read = sqlx::query("SELECT 1 FROM eventlog.position LIMIT 1").fetch_optional(db.pool()).await;
                read.map(drop).map_err(|e| database_problem(&e))
            }
        });
    }

    /// Whether the services' tables are there: a process may be started before its migration job.
    fn check_schemas(&self, schemas: &[Schema]) {
        let names: Vec<String> = schemas.iter().map(|schema| schema.name.to_owned()).collect();
        let db = self.db.clone();
        self.health.register(SHARED, "migrations", move || {
            let (db, names) = (db.clone(), names.clone());
            async move {
                let missing = sqlx::query_scalar(
                    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regnamespace(name) IS NULL",
                );
                let missing: Vec<String> =
                    missing.bind(names).fetch_all(db.pool()).await.map_err(|e| database_problem(&e))?;
                if missing.is_empty() {
                    Ok(())
                } else {
                    Err(format!("the migrations have not been run for {}", missing.join(", ")))
                }
            }
        });
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// "service:monitor", a part of Muster itself.
pub fn service_actor(service: &str) -> Actor {
    Actor {
        id: format!("service:{service}"),
        name: service.to_owned(),
        kind: ActorKind::Service.into(),
        roles: Vec::new(),
    }
}

/// Asks about one stream; who the tenants are is asked rarely, since that reads a whole stream.
async fn jetstream_answers(log: &EventLog, tenants: &Tenants) -> Result<(), LogError> {
    match tenants.list(TENANTS_AGE).await?.first() {
        Some(tenant) => log.last_sequence(tenant).await.map(drop),
        None => log.tenants().await.map(drop),
    }
}

/// Without addresses: anybody may read /readyz.
fn database_problem(error: &sqlx::Error) -> String {
    match error {
        // Undefined table, invalid schema name.
        sqlx::Error::Database(e) if e.code().is_some_and(|c| c == "42P01" || c == "3F000") => {
            "the migrations have not been run".to_owned()
        }
        _ => "PostgreSQL does not answer".to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the platform sets it, not a person: no setting of ours")]
fn instance_name(clock: &Clock) -> String {
    // In Kubernetes the pod's name, which people look for.
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "muster".to_owned());
    let unique = clock.new_id().simple().to_string();
    format!("{host}-{}", &unique[unique.len() - 8..])
}

fn log_config(config: &Config, secrets: &SecretResolver, instance: &str) -> Result<LogConfig, StartError> {
    let keyring = match &config.audit.payload_keys {
        Some(directory) => Some(Arc::new(FileKeyring::open(directory)?) as Arc<dyn Keyring>),
        None => None,
    };
    Ok(LogConfig {
        url: config.nats.url.clone(),
        user: config.nats.user.clone(),
        password: secrets.resolve_system(config.nats.password_ref.as_deref())?,
        replicas: config.nats.replicas,
        prefix: config.nats.prefix.clone(),
        keyring,
        producer: Some(instance.to_owned()),
    })
}

fn owner_url(config: &Config, secrets: &SecretResolver) -> Result<Option<SecretString>, StartError> {
    let Some(url) = &config.postgres.owner_url else { return Ok(None) };
    with_password("postgres.owner_url", url, config.postgres.owner_password_ref.as_deref(), secrets).map(Some)
}

fn with_password(
    key: &'static str,
    url: &str,
    reference: Option<&str>,
    secrets: &SecretResolver,
) -> Result<SecretString, StartError> {
    let (Some(reference), Some(password)) = (reference, secrets.resolve_system(reference)?) else {
        return Ok(SecretString::from(url.to_owned()));
    };
    let unusable = || StartError::Password { key, reference: reference.to_owned() };
    let mut url = Url::parse(url).map_err(|_| unusable())?;
    url.set_password(Some(password.expose_secret())).map_err(|()| unusable())?;
    Ok(SecretString::from(String::from(url)))
}

/// An error that can pass by itself.
trait Passing: fmt::Display {
    fn may_pass(&self) -> bool;
}

impl Passing for LogError {
    fn may_pass(&self) -> bool {
        self.is_unavailable()
    }
}

impl Passing for DatabaseError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // 57P03: the database is starting up or shutting down.
            Self::Sql(sqlx::Error::Database(error)) => error.code().is_some_and(|code| code == "57P03"),
            _ => false,
        }
    }
}

async fn patiently<T, E: Passing, Fut: Future<Output = Result<T, E>>>(
    what: &str,
    attempt: impl Fn() -> Fut,
) -> Result<T, E> {
    let started = tokio::time::Instant::now();
    loop {
        match attempt().await {
            Err(error) if error.may_pass() && started.elapsed() < START_PATIENCE => {
                tracing::warn!(%error, "waiting for {what}");
                tokio::time::sleep(START_PAUSE).await;
            }
            done => return done,
        }
    }
}
