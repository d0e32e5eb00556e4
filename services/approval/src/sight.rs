//! What was seen of each system last: the newest judgement of its readiness, and whether a run may have moved it since.
//! Approvers get it as evidence; nothing here decides that a system is healthy.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Aggregate, TenantId,
    delivery::alert::status_name,
    execution::Execution,
    pb::{
        execution::v1::{ExecutionEvent, ExecutionStarted, execution_event},
        readiness::v1::{Assessment, ReadinessEvent, Status, readiness_event},
        request::v1::{Evidence, MemberEvidence},
    },
    readiness::Readiness,
    time::{duration_to_pb, from_pb, to_pb},
};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use tokio_util::sync::CancellationToken;

/// A look older than this says where a system was, not where it is.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

#[derive(Default)]
struct Seen {
    /// The newest judgement of each resource.
    looks: BTreeMap<String, Assessment>,
    /// When a run on the resource was heard of last.
    touched: BTreeMap<String, Timestamp>,
    /// Resources of runs that have not ended, by request.
    running: BTreeMap<String, Vec<String>>,
}

type Tenants = Arc<RwLock<BTreeMap<TenantId, Seen>>>;

pub(crate) struct Sight {
    tenants: Tenants,
    fold: LiveFold,
}

impl Sight {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let tenants = Tenants::default();
        let folded = tenants.clone();
        let take_in = move |record: &Record| {
            let mut tenants = folded.write().unwrap_or_else(PoisonError::into_inner);
            tenants.entry(record.tenant.clone()).or_default().take_in(record);
        };
        let fold = live_fold(log, &[Readiness::KIND, Execution::KIND], take_in, shutdown);
        Self { tenants, fold }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    /// What is known about these resources, for people.
    pub(crate) fn evidence(&self, tenant: &TenantId, resources: &[&str], now: Timestamp) -> Evidence {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let nothing = Seen::default();
        let seen = tenants.get(tenant).unwrap_or(&nothing);
        let mut evidence = Evidence { taken_at: Some(to_pb(now)), ..Evidence::default() };
        for resource in resources {
            let look = seen.looks.get(*resource);
            evidence.members.push(member(resource, look, now));
            if let Some(look) = look {
                evidence.markers.extend(look.primary.iter().chain(&look.standby).cloned());
            }
        }
        evidence
    }

    /// Where each primary was seen just now, with no run since. What is not sure is left out.
    pub(crate) fn seen_at(&self, tenant: &TenantId, resources: &[&str], now: Timestamp) -> BTreeMap<String, String> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = tenants.get(tenant) else { return BTreeMap::new() };
        let sure = |resource: &&&str| Some(((**resource).to_owned(), seen.site(resource, now)?));
        resources.iter().filter_map(|resource| sure(&resource)).collect()
    }
}

impl Seen {
    fn take_in(&mut self, record: &Record) {
        // What cannot be decoded is a projection's matter; it is no evidence.
        if record.kind == Readiness::KIND {
            if let Ok(ReadinessEvent { event: Some(event) }) = record.decode() {
                self.look(event);
            }
        } else if let Ok(ExecutionEvent { event: Some(event) }) = record.decode() {
            self.run(record, event);
        }
    }

    fn look(&mut self, event: readiness_event::Event) {
        use readiness_event::Event;
        let (resource, assessment) = match event {
            Event::StatusChanged(e) => (e.resource, e.assessment),
            Event::AlertOpened(e) => (e.resource, e.assessment),
            Event::AlertUpdated(e) => (e.resource, e.assessment),
            Event::AlertResolved(e) => (e.resource, e.assessment),
        };
        let Some(assessment) = assessment else { return };
        let newer =
            |known: &Assessment| from_pb(known.observed_at.as_ref()) <= from_pb(assessment.observed_at.as_ref());
        if self.looks.get(&resource).is_none_or(newer) {
            self.looks.insert(resource, assessment);
        }
    }

    fn run(&mut self, record: &Record, event: execution_event::Event) {
        use execution_event::Event;
        match event {
            Event::Started(started) => {
                let resources = resources_of(&started);
                self.touch(&resources, record.time);
                self.running.insert(record.id.clone(), resources);
            }
            Event::Succeeded(_) | Event::Failed(_) | Event::Stopped(_) => {
                let resources = self.running.remove(&record.id).unwrap_or_default();
                self.touch(&resources, record.time);
            }
            _ => {}
        }
    }

    fn touch(&mut self, resources: &[String], at: Timestamp) {
        for resource in resources {
            self.touched.insert(resource.clone(), at);
        }
    }

    fn site(&self, resource: &str, now: Timestamp) -> Option<String> {
        let look = self.looks.get(resource).filter(|look| look.status() != Status::Unknown)?;
        let at = from_pb(look.observed_at.as_ref())?;
        let stale = now.duration_since(at) > FRESH;
        let moved_since = self.touched.get(resource).is_some_and(|touched| at <= *touched);
        let runs = self.running.values().flatten().any(|running| running == resource);
        let site = &look.primary.as_ref()?.site;
        (!stale && !moved_since && !runs && !site.is_empty()).then(|| site.clone())
    }
}

fn member(resource: &str, look: Option<&Assessment>, now: Timestamp) -> MemberEvidence {
    let observed = look.and_then(|look| from_pb(look.observed_at.as_ref()));
    MemberEvidence {
        resource: resource.to_owned(),
        // Nobody has seen it: that is not green.
        status: status_name(look.map_or(Status::Unknown, Assessment::status)).to_owned(),
        loss: look.and_then(|look| look.loss.clone()),
        age: observed.map(|at| duration_to_pb(now.duration_since(at).max(SignedDuration::ZERO))),
    }
}

fn resources_of(started: &ExecutionStarted) -> Vec<String> {
    let members = started.members.iter().map(|member| member.resource.clone());
    let all: BTreeSet<String> = members.chain([started.resource.clone()]).filter(|name| !name.is_empty()).collect();
    all.into_iter().collect()
}
