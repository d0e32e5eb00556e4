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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::common::v1::{Reason, Tier};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + seconds).unwrap()
    }

    fn judged(status: Status, code: &str, seconds: i64) -> Assessment {
        let reason = Reason { code: code.into(), ..Default::default() };
        Assessment {
            status: status.into(),
            reasons: vec![reason],
            observed_at: Some(to_pb(at(seconds))),
            ..Default::default()
        }
    }

    /// Tier 1: stale after 10 s, lost after 30 s.
    fn known(recorded: Option<Status>, latest: Option<(Status, i64)>) -> Known {
        Known {
            tenant: "acme".into(),
            name: "orders-db".into(),
            spec: ResourceSpec::default(),
            limits: Limits::built_in(Tier::Tier1),
            version: 1,
            recorded: recorded.map(|status| Recorded { status, since_ms: 0, assessment: judged(status, "RPO_OK", 0) }),
            latest: latest.map(|(status, seconds)| Latest {
                seen_at_ms: at(seconds).as_millisecond(),
                assessment: judged(status, "RPO_OK", seconds),
                last_known_good: Some(judged(Status::Green, "RPO_OK", seconds)),
                active_site: "east".into(),
            }),
            open_alerts: vec![],
        }
    }

    #[test]
    fn what_is_shown_is_the_worst_of_what_is_recorded_what_is_seen_and_how_old_it_is() {
        use Status::{Green, Red, Unknown, Yellow};
        // recorded, newest judgement made at second 0, asked at second, shown
        let table = [
            (None, None, 0, Unknown, "NEVER_OBSERVED"),
            (Some(Green), Some(Green), 1, Green, "RPO_OK"),
            (Some(Green), Some(Green), 11, Yellow, "OBSERVATION_STALE"),
            (Some(Green), Some(Green), 31, Unknown, "SIGHT_LOST"),
            // Nothing was written to the tables but the log's own record.
            (Some(Green), None, 5, Green, "RPO_OK"),
            (Some(Green), None, 31, Unknown, "SIGHT_LOST"),
            // Worse than recorded shows at once, better only when it is recorded.
            (Some(Green), Some(Red), 1, Red, "RPO_OK"),
            (Some(Red), Some(Green), 1, Red, "STATUS_HELD"),
            (Some(Red), Some(Green), 3600, Red, "STATUS_HELD"),
            // A clock that went back an hour.
            (Some(Green), Some(Green), -3600, Yellow, "CLOCK_AHEAD"),
        ];
        for (recorded, newest, asked, status, first) in table {
            let shown = known(recorded, newest.map(|status| (status, 0))).assessment(at(asked));
            let case = format!("{recorded:?} {newest:?} {asked}");
            assert_eq!((shown.status(), shown.reasons[0].code.as_str()), (status, first), "{case}");
        }
    }

    #[test]
    fn the_last_known_good_and_no_place_are_shown_when_sight_is_lost() {
        let seen = known(Some(Status::Green), Some((Status::Green, 0))).view(at(2));
        assert_eq!(
            (seen.active_site.as_str(), seen.last_known_good.is_none(), seen.freshness.unwrap().seconds),
            ("east", true, 2)
        );
        let lost = known(Some(Status::Green), Some((Status::Green, 0))).view(at(60));
        assert_eq!(
            (lost.active_site.as_str(), lost.last_known_good.is_some(), lost.freshness.unwrap().seconds),
            ("", true, 60)
        );
    }

    #[test]
    fn worst_first_then_the_most_critical_tier_then_the_name() {
        let view = |name: &str, status: Status, tier: Tier| ReadinessView {
            resource: name.into(),
            tier: tier.into(),
            assessment: Some(judged(status, "RPO_OK", 0)),
            ..Default::default()
        };
        let mut views = [
            view("b", Status::Green, Tier::Tier1),
            view("a", Status::Green, Tier::Tier1),
            view("c", Status::Yellow, Tier::Tier2),
            view("d", Status::Yellow, Tier::Tier1),
            view("e", Status::Unknown, Tier::Unspecified),
            view("f", Status::Red, Tier::Tier3),
        ];
        views.sort_by_cached_key(rank);
        let names: String = views.iter().map(|v| v.resource.as_str()).collect();
        assert_eq!(names, "fedcab");
    }
}
