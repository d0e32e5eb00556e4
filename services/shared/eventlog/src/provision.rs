//! Creates what is missing, and never changes or deletes what is there: that is the installer's alone.

use async_nats::jetstream::{context::CreateStreamErrorKind, stream::Config};
use futures::{Stream, StreamExt};
use muster_domain::TenantId;
use serde_json::Value;

use crate::{
    EventLog,
    error::LogError,
    follow::{Follower, Position},
    names::OBSERVATION_SHARDS,
    retry::{PATIENCE, Patience},
    verify::{self, OLDEST_SERVER},
    wire::{self, Failure, STORE_FAILED, STREAM_NOT_FOUND},
};

const NAME_IN_USE: u64 = 10058;

impl EventLog {
    /// Creates the streams that all tenants share. Idempotent.
    pub async fn provision(&self) -> Result<(), LogError> {
        let found = self.server_version();
        if !verify::is_new_enough(&found) {
            return Err(LogError::ServerTooOld { found, needed: OLDEST_SERVER });
        }
        self.create(self.control_config()).await?;
        for shard in 0..OBSERVATION_SHARDS {
            self.create(self.observation_config(shard)).await?;
        }
        self.create(self.timer_config()).await?;
        self.create(self.lease_config()).await
    }

    /// Creates the tenant's log and announces the tenant. Idempotent.
    pub async fn provision_tenant(&self, tenant: &TenantId) -> Result<(), LogError> {
        self.create(self.record_config(tenant)).await?;
        // Announced last: who hears of a tenant finds its stream.
        self.announce(tenant).await
    }

    async fn announce(&self, tenant: &TenantId) -> Result<(), LogError> {
        let subject = self.names().tenant_announcement(tenant);
        let stream = self.names().control_stream();
        let mut patience = Patience::new(PATIENCE);
        loop {
            match wire::publish(self, subject.clone(), async_nats::HeaderMap::new(), "".into()).await {
                Ok(_) => return Ok(()),
                Err(failure @ Failure::Refused { code: STORE_FAILED, .. }) => {
                    match wire::leader_last(self, &stream, &subject).await {
                        Ok(Some(_)) => return Ok(()),
                        Ok(None) | Err(_) => {
                            self.wait_out("announcing a tenant", &stream, failure, &mut patience).await?
                        }
                    }
                }
                Err(failure) => self.wait_out("announcing a tenant", &stream, failure, &mut patience).await?,
            }
        }
    }

    async fn create(&self, config: Config) -> Result<(), LogError> {
        let mut patience = Patience::new(PATIENCE);
        loop {
            let error = match self.jetstream().create_stream(config.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match error.kind() {
                CreateStreamErrorKind::JetStream(refusal) if refusal.error_code().0 == NAME_IN_USE => {
                    return self.explain(&config).await;
                }
                CreateStreamErrorKind::JetStream(refusal) if refusal.code() != 503 => {
                    return Err(LogError::Refused {
                        doing: "creating a stream",
                        code: refusal.error_code().0,
                        description: refusal.to_string(),
                    });
                }
                _ if patience.pause().await => {}
                _ => {
                    return Err(LogError::Unavailable {
                        doing: "creating a stream",
                        tried_for: patience.waited(),
                        last: error.to_string(),
                    });
                }
            }
        }
    }

    /// The stream exists with another configuration: fine if nothing that matters differs.
    async fn explain(&self, config: &Config) -> Result<(), LogError> {
        let differences = self.compare(config).await?;
        if differences.is_empty() {
            return Ok(());
        }
        let differences = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Err(LogError::StreamDiffers { stream: config.name.clone(), differences })
    }

    /// The server's own description of a stream, `None` if it does not exist.
    pub(crate) async fn stream_info(&self, stream: &str) -> Result<Option<Value>, LogError> {
        let unavailable = |last: String| LogError::Unavailable {
            doing: "asking about a stream",
            tried_for: crate::retry::REQUEST_TIMEOUT,
            last,
        };
        let info: Value = self
            .jetstream()
            .request(format!("STREAM.INFO.{stream}"), &serde_json::json!({}))
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let Some(error) = info.get("error") else { return Ok(Some(info)) };
        match error.get("err_code").and_then(Value::as_u64) {
            Some(STREAM_NOT_FOUND) => Ok(None),
            _ => Err(unavailable(error.to_string())),
        }
    }

    /// The same, waiting for servers that are away.
    pub(crate) async fn stream_info_waiting(&self, stream: &str) -> Result<Option<Value>, LogError> {
        let mut patience = Patience::new(PATIENCE);
        loop {
            match self.stream_info(stream).await {
                Err(error) if error.is_unavailable() && patience.pause().await => {
                    tracing::debug!(stream, %error, "asking again");
                }
                result => return result,
            }
        }
    }

    pub(crate) async fn stream_exists(&self, stream: &str) -> Result<bool, LogError> {
        Ok(self.stream_info(stream).await?.is_some())
    }

    /// All tenants registered by now.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, LogError> {
        let mut follower = self.follow_control();
        let mut tenants = Vec::new();
        while let Some(batch) = follower.next_until_caught_up().await? {
            tenants.extend(batch.iter().filter_map(|entry| self.names().parse_announcement(&entry.subject)));
        }
        Ok(tenants)
    }

    /// The tenants there are, then each new one. Never ends, and outlives lost connections.
    pub fn watch_tenants(&self) -> impl Stream<Item = TenantId> + Send + 'static {
        let names = self.names().clone();
        let batches = futures::stream::unfold(self.follow_control(), |mut follower| async move {
            let batch = follower.next().await;
            Some((batch, follower))
        });
        batches.flat_map(move |batch| {
            let tenants: Vec<_> = batch.iter().filter_map(|entry| names.parse_announcement(&entry.subject)).collect();
            futures::stream::iter(tenants)
        })
    }

    fn follow_control(&self) -> Follower {
        Follower::new(self.clone(), self.names().control_stream(), Vec::new(), Position::After(0))
    }
}
