//! Refused links add up: from the tenant's number within ten minutes on, security is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::delivery::ask;
use muster_domain::pb::request::v1::{IntentEvent, IntentRefused, intent_event::Event};
use muster_domain::request::intent::{ALARM_WINDOW, Intent, MessageApprovals, alarms};
use muster_domain::time::{from_pb, humane};
use muster_domain::{Aggregate, TenantId};
use muster_eventlog::{LiveFold, ReactError, Reactor, Record, live_fold};
use muster_runtime::Context;

use super::source;
use crate::outbox::{Cause, Narrowing, Outbox};

/// Refusals of one tenant kept in memory. Many more than any policy asks for.
const MAX_KEPT: usize = 1_000;

struct Refused {
    sequence: u64,
    at: Timestamp,
    event: IntentRefused,
}

type Tenants = Arc<RwLock<BTreeMap<TenantId, VecDeque<Refused>>>>;

pub(super) struct Alarm {
    outbox: Outbox,
    tenants: Tenants,
    fold: LiveFold,
}

impl Alarm {
    pub(super) fn follow(ctx: &Context, outbox: &Outbox) -> Self {
        let tenants = Tenants::default();
        let folded = tenants.clone();
        let take_in = move |record: &Record| {
            let Some((at, event)) = refused(record) else { return };
            let mut tenants = folded.write().unwrap_or_else(PoisonError::into_inner);
            let kept = tenants.entry(record.tenant.clone()).or_default();
            kept.push_back(Refused { sequence: record.sequence, at, event });
            while kept.len() > MAX_KEPT {
                kept.pop_front();
            }
        };
        let fold = live_fold(&ctx.log, &[Intent::KIND], take_in, ctx.shutdown.clone());
        Self { outbox: outbox.clone(), tenants, fold }
    }

    /// The attempts to be told about, if this one is the one that alarms.
    fn alarmed_by(&self, record: &Record, threshold: u32) -> Vec<IntentRefused> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = tenants.get(&record.tenant) else { return Vec::new() };
        let before: Vec<&Refused> = kept.iter().filter(|refused| refused.sequence <= record.sequence).collect();
        let Some(newest) = before.len().checked_sub(1) else { return Vec::new() };
        if !alarms(before.iter().map(|refused| refused.at), threshold).contains(&newest) {
            return Vec::new();
        }
        let count = threshold.max(1) as usize;
        before.iter().rev().take(count).rev().map(|refused| refused.event.clone()).collect()
    }
}

#[async_trait]
impl Reactor for Alarm {
    fn name(&self) -> &'static str {
        "notifier.refused-links"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Intent::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        if refused(record).is_none() {
            return Ok(());
        }
        self.outbox.routes.caught_up().await;
        self.fold.reached(&record.tenant, record.sequence).await;
        let policies = self.outbox.routes.with_documents(&record.tenant, |documents| {
            let rules: Vec<_> = documents.policies().filter_map(|(_, spec)| spec.message_approvals.clone()).collect();
            MessageApprovals::of(rules.iter())
        });
        let threshold = policies.unwrap_or_else(|| MessageApprovals::of([].iter())).refusals_before_alarm;
        let tried = self.alarmed_by(record, threshold);
        if tried.is_empty() {
            return Ok(());
        }
        let message = ask::links_refused(&source(record), &tried, &humane(ALARM_WINDOW));
        let cause = Cause { correlation: record.correlation, event: record.event_id };
        self.outbox.tell(&record.tenant, &message, cause, &Narrowing::default()).await
    }
}

/// What cannot be decoded is the reader's matter; it is no refusal.
fn refused(record: &Record) -> Option<(Timestamp, IntentRefused)> {
    match record.decode::<IntentEvent>().ok()?.event? {
        Event::Refused(refused) => Some((from_pb(refused.refused_at.as_ref()).unwrap_or(record.time), refused)),
        Event::Issued(_) | Event::Used(_) => None,
    }
}
