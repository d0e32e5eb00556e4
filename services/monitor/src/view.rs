//! The state of one resource as people see it, as of the moment of the answer.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::{
        inventory::v1::{Document, PolicySpec, ResourceSpec},
        readiness::v1::{AlertView, Assessment, ReadinessView, Status},
    },
    readiness::{Limits, rules, severity},
    time::{duration_to_pb, from_pb, to_pb},
};

use crate::inventory::Declaration;

/// The recorded status, from the log.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) status: Status,
    pub(crate) since_ms: i64,
    pub(crate) assessment: Assessment,
}

/// The newest judgement, from the measurements.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub(crate) seen_at_ms: i64,
    pub(crate) assessment: Assessment,
    pub(crate) last_known_good: Option<Assessment>,
    pub(crate) active_site: String,
}

/// What the tables know of one declared resource.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) tenant: String,
    pub(crate) name: String,
    pub(crate) spec: ResourceSpec,
    pub(crate) limits: Limits,
    pub(crate) version: u64,
    pub(crate) recorded: Option<Recorded>,
    pub(crate) latest: Option<Latest>,
    pub(crate) open_alerts: Vec<AlertView>,
}

impl Known {
    pub(crate) fn of(tenant: &TenantId, document: &Document, spec: &ResourceSpec, policies: &[PolicySpec]) -> Self {
        let declaration = Declaration::of(document, spec, policies);
        Self {
            tenant: tenant.to_string(),
            name: document.name.clone(),
            spec: declaration.spec,
            limits: declaration.limits,
            version: declaration.version,
            recorded: None,
            latest: None,
            open_alerts: Vec::new(),
        }
    }

    /// The newest judgement brought to `now`, and no better than what is recorded: a recovery shows when
    /// it has settled, and what nobody looks at any more degrades although nothing else runs.
    pub(crate) fn assessment(&self, now: Timestamp) -> Assessment {
        let newest = match (&self.latest, &self.recorded) {
            (Some(latest), _) => latest.assessment.clone(),
            (None, Some(recorded)) => recorded.assessment.clone(),
            (None, None) => return rules::never_observed(),
        };
        let degraded = rules::degrade(newest, &self.limits, now);
        match &self.recorded {
            Some(recorded) => rules::hold(degraded, recorded.status, self.limits.recover_for),
            None => degraded,
        }
    }

    pub(crate) fn view(self, now: Timestamp) -> ReadinessView {
        let assessment = self.assessment(now);
        let observed_at = from_pb(assessment.observed_at.as_ref());
        let freshness = observed_at.map(|at| duration_to_pb(now.duration_since(at).max(SignedDuration::ZERO)));
        let (last_known_good, active_site) = match self.latest {
            Some(latest) => (latest.last_known_good, latest.active_site),
            None => (None, String::new()),
        };
        // Where it ran when somebody last looked is not where it runs now.
        let in_sight = rules::sighted(&assessment);
        ReadinessView {
            tenant: self.tenant,
            resource: self.name,
            display_name: self.spec.display_name,
            tier: self.spec.tier,
            environment: self.spec.environment,
            owner: self.spec.owner,
            primary_site: self.spec.primary_site,
            dr_site: self.spec.dr_site,
            active_site: if in_sight { active_site } else { String::new() },
            rpo_target: self.spec.rpo,
            rto_target: self.spec.rto,
            status_since: self.recorded.and_then(|r| Timestamp::from_millisecond(r.since_ms).ok()).map(to_pb),
            freshness,
            last_known_good: last_known_good.filter(|_| !in_sight),
            open_alerts: self.open_alerts,
            thresholds: Some(self.limits.to_pb()),
            assessment: Some(assessment),
        }
    }
}

/// Worst first, then the most critical tier, then by name. Also the cursor of the pages.
pub(crate) fn rank(view: &ReadinessView) -> (Reverse<u8>, i32, String) {
    let status = view.assessment.as_ref().map_or(Status::Unknown, Assessment::status);
    // A tier that nobody declared comes last.
    let tier = if view.tier == 0 { i32::MAX } else { view.tier };
    (Reverse(severity(status)), tier, view.resource.clone())
}
