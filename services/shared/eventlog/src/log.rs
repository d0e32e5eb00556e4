//! The handle to the log: one connection, watched.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, jetstream};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::{
    config::LogConfig, error::LogError, names::Names, producer::Producer, retry::REQUEST_TIMEOUT, seal::Custody,
    selfaudit::Acks,
};

/// A dead connection is noticed after two missed pings; the default of 60 s would hang callers for minutes.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// The event log. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    jetstream: jetstream::Context,
    names: Names,
    replicas: usize,
    /// Counts connections: what was in flight over an earlier one may be lost.
    connection: watch::Receiver<u64>,
    permission_violations: Arc<AtomicU64>,
    custody: Option<Custody>,
    producer: Option<Producer>,
    acks: Acks,
}

impl EventLog {
    /// Connects and keeps the connection for the life of the handle, reconnecting without end.
    pub async fn connect(config: &LogConfig) -> Result<Self, LogError> {
        check_prefix(&config.prefix)?;
        let producer = config.producer.as_deref().map(Producer::new).transpose()?;
        let (connected, connection) = watch::channel(0_u64);
        let violations = Arc::new(AtomicU64::new(0));
        let client = options(config, connected, violations.clone())
            .connect(config.url.split(',').map(str::trim).collect::<Vec<_>>())
            .await
            .map_err(|error| LogError::Connect { url: config.url.clone(), reason: chain(&error) })?;
        // The callback runs beside us: without this, our own connection would look like another one to the first request.
        let _ = connection.clone().wait_for(|count| *count > 0).await;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(REQUEST_TIMEOUT);
        let names = Names::new(&config.prefix);
        let inner = Inner {
            client,
            jetstream,
            names,
            replicas: config.replicas,
            connection,
            permission_violations: violations,
            custody: config.keyring.clone().map(Custody::new),
            producer,
            acks: Acks::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How often the server refused something for lack of permission. The server is silent to the caller (it times
    /// out), so this number is the only trace: the health check shows it.
    pub fn permission_violations(&self) -> u64 {
        self.inner.permission_violations.load(Ordering::Relaxed)
    }

    /// Whether the connection stands now.
    pub fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == async_nats::connection::State::Connected
    }

    /// The server we are connected to, "2.15.1".
    pub fn server_version(&self) -> String {
        self.inner.client.server_info().version
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    pub(crate) fn names(&self) -> &Names {
        &self.inner.names
    }

    pub(crate) fn replicas(&self) -> usize {
        self.inner.replicas
    }

    /// Who knows the tenants' payload keys; `None`: nothing is encrypted here.
    pub(crate) fn custody(&self) -> Option<&Custody> {
        self.inner.custody.as_ref()
    }

    /// This process as a writer; `None`: it does not sign.
    pub(crate) fn producer(&self) -> Option<&Producer> {
        self.inner.producer.as_ref()
    }

    pub(crate) fn acks(&self) -> &Acks {
        &self.inner.acks
    }

    /// Changes with the next connection after now.
    pub(crate) fn connection(&self) -> watch::Receiver<u64> {
        let mut connection = self.inner.connection.clone();
        connection.mark_unchanged();
        connection
    }

    /// A single server knows for certain which streams exist; a cluster that elects a leader does not.
    pub(crate) fn is_clustered(&self) -> bool {
        self.inner.client.server_info().cluster.is_some()
    }
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog").field("names", &self.inner.names).finish_non_exhaustive()
    }
}

fn options(config: &LogConfig, connected: watch::Sender<u64>, violations: Arc<AtomicU64>) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .name("muster")
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .max_reconnects(None)
        .reconnect_delay_callback(|_| RECONNECT_PAUSE)
        .event_callback(move |event| {
            note(&event, &connected, &violations);
            async {}
        });
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        // Each user may listen to its own answers only.
        options = options.custom_inbox_prefix(format!("_INBOX_{user}"));
        options = options.user_and_password(user.clone(), password.expose_secret().to_owned());
    }
    options
}

fn note(event: &Event, connected: &watch::Sender<u64>, violations: &AtomicU64) {
    match event {
        Event::Connected => connected.send_modify(|count| *count += 1),
        Event::Disconnected => {
            metrics::counter!("muster_log_disconnects_total").increment(1);
            tracing::warn!("connection to the event log lost, reconnecting");
        }
        Event::ServerError(error) if error.to_string().to_lowercase().contains("permissions violation") => {
            violations.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("muster_log_permission_violations_total").increment(1);
            tracing::error!(%error, "the event log refused something for lack of permission");
        }
        Event::ServerError(_) | Event::ClientError(_) | Event::SlowConsumer(_) => {
            tracing::warn!(%event, "event log connection");
        }
        Event::LameDuckMode | Event::Draining | Event::Closed => tracing::info!(%event, "event log connection"),
    }
}

fn check_prefix(prefix: &str) -> Result<(), LogError> {
    let allowed = prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if allowed && prefix.len() <= 32 {
        return Ok(());
    }
    Err(LogError::InvalidName {
        what: "prefix",
        value: prefix.to_owned(),
        rule: "use up to 32 characters: a-z, 0-9 and '-'",
    })
}

/// An error with its causes, for a message a person reads.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
