//! Every stream name and subject in one place. Writer and reader build them by the same function, so they cannot
//! drift apart; what the server guarantees hangs on exactly these subjects.

use muster_domain::{AggregateId, TenantId};
use sha2::{Digest, Sha256};

/// The streams that measurements are spread over. Fixed: a tenant's shard follows from it.
pub const OBSERVATION_SHARDS: u16 = 4;

/// A tenant's log is rolled into a new epoch when it outgrows one stream.
const EPOCH: u32 = 1;

/// Where one event lives: its subject, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAddress {
    pub tenant: TenantId,
    pub kind: String,
    pub id: AggregateId,
    pub version: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn stream(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}_{name}", self.prefix) }
    }

    fn subject(&self, rest: &str) -> String {
        if self.prefix.is_empty() { rest.to_owned() } else { format!("{}.{rest}", self.prefix) }
    }

    /// The subject without the prefix, or `None` if it is another's.
    pub(crate) fn own<'s>(&self, subject: &'s str) -> Option<&'s str> {
        if self.prefix.is_empty() {
            return Some(subject);
        }
        subject.strip_prefix(&self.prefix)?.strip_prefix('.')
    }

    pub(crate) fn record_stream(&self, tenant: &TenantId) -> String {
        self.stream(&format!("REC_{tenant}_{EPOCH}"))
    }

    pub(crate) fn record_subjects(&self, tenant: &TenantId) -> String {
        self.subject(&format!("rec.{tenant}.*.*.*"))
    }

    /// All events of one kind of aggregate.
    pub(crate) fn kind(&self, tenant: &TenantId, kind: &str) -> String {
        self.subject(&format!("rec.{tenant}.{kind}.*.*"))
    }

    /// All events of one aggregate, for reading.
    pub(crate) fn aggregate(&self, tenant: &TenantId, kind: &str, id: &AggregateId) -> String {
        self.subject(&format!("rec.{tenant}.{kind}.{id}.*"))
    }

    /// All events of one aggregate, as the filter of an append's expectation.
    pub(crate) fn aggregate_guard(&self, tenant: &TenantId, kind: &str, id: &AggregateId) -> String {
        self.subject(&format!("rec.{tenant}.{kind}.{id}.>"))
    }

    /// The one place of one version: the server lets it be written once.
    pub(crate) fn event(&self, tenant: &TenantId, kind: &str, id: &AggregateId, version: u64) -> String {
        self.subject(&format!("rec.{tenant}.{kind}.{id}.{version}"))
    }

    pub(crate) fn parse_event(&self, subject: &str) -> Option<EventAddress> {
        let mut tokens = self.own(subject)?.split('.');
        let address = match (tokens.next()?, tokens.next()?, tokens.next()?, tokens.next()?, tokens.next()?) {
            ("rec", tenant, kind, id, version) => EventAddress {
                tenant: tenant.parse().ok()?,
                kind: kind.to_owned(),
                id: id.parse().ok()?,
                version: version.parse().ok()?,
            },
            _ => return None,
        };
        tokens.next().is_none().then_some(address)
    }

    pub(crate) fn control_stream(&self) -> String {
        self.stream("CONTROL")
    }

    pub(crate) fn tenant_announcements(&self) -> String {
        self.subject("control.tenant.*")
    }

    pub(crate) fn tenant_announcement(&self, tenant: &TenantId) -> String {
        self.subject(&format!("control.tenant.{tenant}"))
    }

    pub(crate) fn parse_announcement(&self, subject: &str) -> Option<TenantId> {
        self.own(subject)?.strip_prefix("control.tenant.")?.parse().ok()
    }

    pub(crate) fn observation_stream(&self, shard: u16) -> String {
        self.stream(&format!("OBS_{shard}"))
    }

    pub(crate) fn observation_subjects(&self, shard: u16) -> String {
        self.subject(&format!("obs.{shard}.*"))
    }

    pub(crate) fn observation(&self, tenant: &TenantId) -> String {
        self.subject(&format!("obs.{}.{tenant}", shard_of(tenant)))
    }

    pub(crate) fn timer_stream(&self) -> String {
        self.stream("TIMERS")
    }

    /// Set timers and the messages they turn into: a schedule's target must be in its own stream.
    pub(crate) fn timer_subjects(&self) -> [String; 2] {
        [self.subject("timer.*.*.*"), self.subject("due.*.*.*")]
    }

    pub(crate) fn timer(&self, handler: &str, tenant: &TenantId, key: &str) -> String {
        self.subject(&format!("timer.{handler}.{tenant}.{key}"))
    }

    pub(crate) fn all_timers(&self, handler: &str) -> String {
        self.subject(&format!("timer.{handler}.*.*"))
    }

    /// What the timer at this subject turns into.
    pub(crate) fn due_of(&self, timer: &str) -> Option<String> {
        Some(self.subject(&format!("due.{}", self.own(timer)?.strip_prefix("timer.")?)))
    }

    pub(crate) fn due(&self, handler: &str, tenant: &TenantId, key: &str) -> String {
        self.subject(&format!("due.{handler}.{tenant}.{key}"))
    }

    pub(crate) fn all_due(&self, handler: &str) -> String {
        self.subject(&format!("due.{handler}.*.*"))
    }

    /// `(tenant, key)` of a timer that came due.
    pub(crate) fn parse_due(&self, subject: &str) -> Option<(TenantId, String)> {
        let mut tokens = self.own(subject)?.split('.');
        let ("due", _, tenant, key) = (tokens.next()?, tokens.next()?, tokens.next()?, tokens.next()?) else {
            return None;
        };
        Some((tenant.parse().ok()?, key.to_owned()))
    }

    pub(crate) fn lease_bucket(&self) -> String {
        self.stream("LEASES")
    }

    /// A key-value bucket is a stream of this name …
    pub(crate) fn lease_stream(&self) -> String {
        format!("KV_{}", self.lease_bucket())
    }

    pub(crate) fn lease_subjects(&self) -> String {
        format!("$KV.{}.>", self.lease_bucket())
    }

    /// … and a key a subject of this form, without our prefix.
    pub(crate) fn lease(&self, name: &str) -> String {
        format!("$KV.{}.{name}", self.lease_bucket())
    }
}

/// Which of `shards` a tenant belongs to. The same on every machine and in every release: readers find their
/// tenants by it.
pub fn shard_of_tenant(tenant: &TenantId, shards: u16) -> u16 {
    let digest = Sha256::digest(tenant.as_str().as_bytes());
    u16::from_be_bytes([digest[0], digest[1]]) % shards.max(1)
}

/// The observation stream a tenant's measurements are in.
pub fn shard_of(tenant: &TenantId) -> u16 {
    shard_of_tenant(tenant, OBSERVATION_SHARDS)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn an_event_subject_is_taken_apart_as_it_was_put_together() {
        for prefix in ["", "t1"] {
            let names = Names::new(prefix);
            let (tenant, id) = ("acme".parse().unwrap(), "erp-db".parse().unwrap());
            let subject = names.event(&tenant, "resource", &id, 17);
            let address = names.parse_event(&subject).unwrap();
            assert_eq!(address, EventAddress { tenant, kind: "resource".into(), id, version: 17 });
        }
    }

    #[test]
    fn foreign_subjects_are_not_events() {
        let names = Names::new("t1");
        for subject in [
            "rec.acme.resource.x.1",
            "t1.rec.acme.resource.x",
            "t1.rec.acme.resource.x.1.2",
            "t1.rec.acme.resource.x.one",
        ] {
            assert_eq!(names.parse_event(subject), None, "{subject}");
        }
    }

    #[test]
    fn shards_never_move() {
        // Measurements written before an upgrade must still be found after it.
        let shard = |t: &str| shard_of(&t.parse().unwrap());
        assert_eq!(["acme", "globex", "initech", "muster"].map(shard), [3, 1, 0, 1]);
    }
}
