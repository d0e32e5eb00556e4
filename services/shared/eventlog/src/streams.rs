//! How each stream must be configured, and what hangs on it. `provision` creates them so, `verify` compares.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use muster_domain::TenantId;

use crate::EventLog;

/// Measurements are evidence for weeks; the judgements made on them are kept for ever in RECORD.
const OBSERVATIONS_KEPT: Duration = Duration::from_secs(21 * 24 * 3600);

/// The longest a lease can live: a bound for keys that nobody renews or takes.
pub(crate) const LONGEST_LEASE: Duration = Duration::from_secs(3600);

impl EventLog {
    /// Decisions, for ever: one message a subject, refused if it exists, no deletion, no age, no other limit.
    fn permanent(&self, name: String, subject: String, description: &str) -> Config {
        Config {
            name,
            subjects: vec![subject],
            description: Some(description.to_owned()),
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            allow_atomic_publish: true,
            ..self.stored()
        }
    }

    fn stored(&self) -> Config {
        Config {
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            storage: StorageType::File,
            num_replicas: self.replicas(),
            ..Config::default()
        }
    }

    pub(crate) fn record_config(&self, tenant: &TenantId) -> Config {
        let names = self.names();
        self.permanent(
            names.record_stream(tenant),
            names.record_subjects(tenant),
            "Every decision of one tenant, for ever",
        )
    }

    pub(crate) fn control_config(&self) -> Config {
        let names = self.names();
        self.permanent(names.control_stream(), names.tenant_announcements(), "Which tenants there are")
    }

    pub(crate) fn observation_config(&self, shard: u16) -> Config {
        Config {
            name: self.names().observation_stream(shard),
            subjects: vec![self.names().observation_subjects(shard)],
            description: Some("Measurements of targets, kept for weeks".to_owned()),
            max_age: OBSERVATIONS_KEPT,
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            ..self.stored()
        }
    }

    /// A timer that came due is removed when its handler confirms it. Replacing and cancelling go by roll-up and not by
    /// `max_messages_per_subject`: what that limit removes comes back when a killed server rebuilds its state (measured).
    pub(crate) fn timer_config(&self) -> Config {
        Config {
            name: self.names().timer_stream(),
            subjects: self.names().timer_subjects().to_vec(),
            description: Some("Timers that are set, and those that came due".to_owned()),
            retention: RetentionPolicy::WorkQueue,
            allow_message_schedules: true,
            allow_message_ttl: true,
            allow_rollup: true,
            allow_direct: true,
            ..self.stored()
        }
    }

    /// A key-value bucket. No markers: their TTL would raise every lease's own.
    pub(crate) fn lease_config(&self) -> Config {
        Config {
            name: self.names().lease_stream(),
            subjects: vec![self.names().lease_subjects()],
            description: Some("Who does which background work at the moment".to_owned()),
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            max_age: LONGEST_LEASE,
            allow_message_ttl: true,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..self.stored()
        }
    }
}
