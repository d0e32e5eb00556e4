//! What was seen of each system last: the newest recorded judgement of its readiness, and whether a run may have moved it
//! since. Brought to now it is what approvers get as evidence; nothing here decides that a system is healthy.

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
        request::v1::{Evidence, MemberEvidence, RequestType},
    },
    readiness::Readiness,
    request::type_of,
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
    running: BTreeMap<String, Running>,
    /// Where each primary was seen, or brought by a run, last.
    primaries: BTreeMap<String, (Timestamp, String)>,
}

#[derive(Default)]
struct Running {
    resources: Vec<String>,
    /// Where they are when it succeeds. Empty: where they were.
    ends_at: String,
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

    /// What the log says of a resource last.
    pub(crate) fn recorded(&self, tenant: &TenantId, resource: &str) -> Option<Assessment> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant)?.looks.get(resource).cloned()
    }

    /// What approvers get to read, of how the resources stand now.
    pub(crate) fn evidence(looks: &BTreeMap<String, Assessment>, resources: &[&str], now: Timestamp) -> Evidence {
        let mut evidence = Evidence { taken_at: Some(to_pb(now)), ..Evidence::default() };
        for resource in resources {
            let look = looks.get(*resource);
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

    /// Where each primary was last, however long ago. Nothing is told while a run may be moving it.
    pub(crate) fn last_seen(&self, tenant: &TenantId, resources: &[&str]) -> BTreeMap<String, String> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = tenants.get(tenant) else { return BTreeMap::new() };
        let known = |resource: &&str| Some(((*resource).to_owned(), seen.last_site(resource)?));
        resources.iter().filter_map(known).collect()
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
            self.run(&record.id, record.time, event);
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
        let site = assessment.primary.as_ref().map(|primary| primary.site.clone()).unwrap_or_default();
        if let Some(at) = from_pb(assessment.observed_at.as_ref()) {
            self.primary_was(&resource, at, &site);
        }
        let newer =
            |known: &Assessment| from_pb(known.observed_at.as_ref()) <= from_pb(assessment.observed_at.as_ref());
        if self.looks.get(&resource).is_none_or(newer) {
            self.looks.insert(resource, assessment);
        }
    }

    fn run(&mut self, request: &str, at: Timestamp, event: execution_event::Event) {
        use execution_event::Event;
        match event {
            Event::Started(started) => {
                let resources = resources_of(&started);
                self.touch(&resources, at);
                let ends_at = ends_at(&started).to_owned();
                self.running.insert(request.to_owned(), Running { resources, ends_at });
            }
            Event::Succeeded(_) => {
                let run = self.running.remove(request).unwrap_or_default();
                self.touch(&run.resources, at);
                for resource in &run.resources {
                    self.primary_was(resource, at, &run.ends_at);
                }
            }
            Event::Failed(_) | Event::Stopped(_) => {
                let run = self.running.remove(request).unwrap_or_default();
                self.touch(&run.resources, at);
            }
            _ => {}
        }
    }

    fn touch(&mut self, resources: &[String], at: Timestamp) {
        for resource in resources {
            self.touched.insert(resource.clone(), at);
        }
    }

    fn primary_was(&mut self, resource: &str, at: Timestamp, site: &str) {
        let is_older = self.primaries.get(resource).is_some_and(|(known, _)| at < *known);
        if !site.is_empty() && !is_older {
            self.primaries.insert(resource.to_owned(), (at, site.to_owned()));
        }
    }

    fn is_run_on(&self, resource: &str) -> bool {
        self.running.values().flat_map(|run| &run.resources).any(|running| running == resource)
    }

    fn last_site(&self, resource: &str) -> Option<String> {
        let moves = self.running.values().filter(|run| !run.ends_at.is_empty());
        let is_moved = moves.flat_map(|run| &run.resources).any(|moved| moved == resource);
        let (_, site) = self.primaries.get(resource).filter(|_| !is_moved)?;
        Some(site.clone())
    }

    fn site(&self, resource: &str, now: Timestamp) -> Option<String> {
        let look = self.looks.get(resource).filter(|look| look.status() != Status::Unknown)?;
        let at = from_pb(look.observed_at.as_ref())?;
        let stale = now.duration_since(at) > FRESH;
        let moved_since = self.touched.get(resource).is_some_and(|touched| at <= *touched);
        let site = &look.primary.as_ref()?.site;
        (!stale && !moved_since && !self.is_run_on(resource) && !site.is_empty()).then(|| site.clone())
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

/// A live drill goes over and comes back; the other drills move nothing.
fn ends_at(started: &ExecutionStarted) -> &str {
    match type_of(&started.r#type) {
        Some(
            RequestType::Switchover
            | RequestType::Failover
            | RequestType::Failback
            | RequestType::Rotation
            | RequestType::Rollback,
        ) => &started.target_site,
        Some(RequestType::LiveDrill) => &started.from_site,
        _ => "",
    }
}

fn resources_of(started: &ExecutionStarted) -> Vec<String> {
    let members = started.members.iter().map(|member| member.resource.clone());
    let all: BTreeSet<String> = members.chain([started.resource.clone()]).filter(|name| !name.is_empty()).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::{
        common::v1::Marker,
        execution::v1::{ExecutionFailed, ExecutionSucceeded},
        readiness::v1::StatusChanged,
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn look(second: i64, site: &str) -> readiness_event::Event {
        readiness_event::Event::StatusChanged(StatusChanged {
            resource: "orders-db".into(),
            assessment: Some(Assessment {
                status: Status::Green.into(),
                observed_at: Some(to_pb(at(second))),
                primary: (!site.is_empty()).then(|| Marker { site: site.into(), ..Marker::default() }),
                ..Assessment::default()
            }),
            ..StatusChanged::default()
        })
    }

    fn begun(kind: &str) -> execution_event::Event {
        execution_event::Event::Started(ExecutionStarted {
            r#type: kind.into(),
            resource: "orders-db".into(),
            from_site: "fra".into(),
            target_site: "ams".into(),
            ..ExecutionStarted::default()
        })
    }

    fn succeeded() -> execution_event::Event {
        execution_event::Event::Succeeded(ExecutionSucceeded::default())
    }

    #[test]
    fn where_a_primary_was_last_is_known_long_after_the_look() {
        let mut seen = Seen::default();
        assert_eq!(seen.last_site("orders-db"), None);
        seen.look(look(0, "fra"));
        assert_eq!(seen.site("orders-db", at(3_600)), None, "an hour old, it is no evidence");
        assert_eq!(seen.last_site("orders-db").unwrap(), "fra");
        // Lost from sight, and older news that come late: still where it was.
        seen.look(look(20, ""));
        seen.look(look(-5, "ams"));
        assert_eq!(seen.last_site("orders-db").unwrap(), "fra");
    }

    #[test]
    fn a_run_that_moves_says_where_it_is_and_one_that_does_not_leaves_it() {
        for (kind, ends_at) in [
            ("switchover", "ams"),
            ("failover", "ams"),
            ("rotation", "ams"),
            ("live-drill", "fra"),
            ("readiness-drill", "fra"),
            ("isolated-drill", "fra"),
        ] {
            let mut seen = Seen::default();
            seen.look(look(0, "fra"));
            seen.run("r-1", at(10), begun(kind));
            let moves = !["readiness-drill", "isolated-drill"].contains(&kind);
            assert_eq!(seen.last_site("orders-db").is_none(), moves, "{kind}: while it runs");
            seen.run("r-1", at(20), succeeded());
            // What the monitor saw before the end is older than the end.
            seen.look(look(15, "fra"));
            assert_eq!(seen.last_site("orders-db").unwrap(), ends_at, "{kind}");
        }
        let mut seen = Seen::default();
        seen.look(look(0, "fra"));
        seen.run("r-1", at(10), begun("switchover"));
        seen.run("r-1", at(20), execution_event::Event::Failed(ExecutionFailed::default()));
        assert_eq!(seen.last_site("orders-db").unwrap(), "fra");
        seen.look(look(30, "ams"));
        assert_eq!(seen.last_site("orders-db").unwrap(), "ams");
    }
}
