//! Who leads now: what Patroni's store says and what both databases are, together. Everything is decided by this, and nothing
//! by the code that a call came back with.

use muster_domain::pb::observation::v1::PostgresqlFacts;

use super::{
    answers::{Cluster, Member},
    work::Work,
};
use crate::{
    Facts, StepError,
    fact::{SYSTEM_IDENTIFIER, required},
    postgresql::{
        databases::{is_primary, is_standby, look},
        fact,
    },
};

#[derive(Debug)]
pub(super) enum Leader {
    /// As before the move: the target is a standby on the old timeline. Nobody leads, if `leads` is empty.
    NotMoved { leads: Option<String> },
    /// The target leads, as a primary on the next timeline.
    Moved { timeline: u32 },
    /// In between, or something else: what was seen.
    Unclear(String),
}

pub(super) async fn leader(work: &Work<'_>, facts: &Facts) -> Result<Leader, StepError> {
    let system = required(facts, SYSTEM_IDENTIFIER)?;
    let old = fact::timeline(facts, fact::OLD_TIMELINE)?;
    let name = &work.target.name;
    let (cluster, seen) = tokio::join!(work.cluster(), look(&work.databases, name));
    let (cluster, seen) = match (cluster, seen) {
        (Ok(cluster), Ok(seen)) => (cluster, seen),
        (Err(error), _) => return Ok(Leader::Unclear(format!("Patroni could not be asked: {error}"))),
        (_, Err(error)) => return Ok(Leader::Unclear(format!("{name} could not be asked: {error}"))),
    };
    if seen.system_identifier != system {
        return Ok(Leader::Unclear(format!("{name} belongs to system {}, not {system}", seen.system_identifier)));
    }
    Ok(judge(&cluster, &seen, name, &work.from.name, old))
}

fn judge(cluster: &Cluster, seen: &PostgresqlFacts, target: &str, from: &str, old: u32) -> Leader {
    let leads = cluster.leader();
    match seen.timeline {
        Some(timeline) if is_primary(seen) && leads == Some(target) && Some(timeline) == old.checked_add(1) => {
            Leader::Moved { timeline }
        }
        Some(timeline) if is_standby(seen) && timeline == old && (leads == Some(from) || nobody_leads(cluster)) => {
            Leader::NotMoved { leads: leads.map(str::to_owned) }
        }
        timeline => Leader::Unclear(format!(
            "{target} is {} on timeline {}, and Patroni says: {}",
            if is_standby(seen) { "a standby" } else { "a primary" },
            timeline.map_or_else(|| "unknown".to_owned(), |timeline| timeline.to_string()),
            if cluster.members.is_empty() { "no members".to_owned() } else { cluster.shown() },
        )),
    }
}

/// No member says that it leads, and at least one is there to say it.
fn nobody_leads(cluster: &Cluster) -> bool {
    let leads = |member: &Member| !matches!(member.role.as_str(), "replica" | "sync_standby" | "quorum_standby");
    !cluster.members.is_empty() && !cluster.members.iter().any(leads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(in_recovery: bool, timeline: u32) -> PostgresqlFacts {
        PostgresqlFacts { in_recovery: Some(in_recovery), timeline: Some(timeline), ..Default::default() }
    }

    fn cluster(roles: &[(&str, &str)]) -> Cluster {
        let member =
            |(name, role): &(&str, &str)| Member { name: (*name).into(), role: (*role).into(), ..Default::default() };
        Cluster { members: roles.iter().map(member).collect(), ..Default::default() }
    }

    fn of(roles: &[(&str, &str)], seen: &PostgresqlFacts) -> Leader {
        judge(&cluster(roles), seen, "b", "a", 4)
    }

    #[test]
    fn moved_means_that_patroni_and_the_database_agree() {
        let (old, new) = ([("a", "leader"), ("b", "replica")], [("a", "replica"), ("b", "leader")]);
        assert!(matches!(of(&new, &seen(false, 5)), Leader::Moved { timeline: 5 }));
        assert!(matches!(of(&old, &seen(true, 4)), Leader::NotMoved { leads: Some(_) }));
        // A primary that holds no lock, a lock without a primary, another timeline, two promotions.
        for (roles, seen) in
            [(&old, seen(false, 5)), (&new, seen(true, 4)), (&old, seen(true, 5)), (&new, seen(false, 6))]
        {
            assert!(matches!(of(roles, &seen), Leader::Unclear(_)), "{roles:?} {seen:?}");
        }
    }

    #[test]
    fn nobody_is_said_only_when_the_members_say_so() {
        assert!(matches!(of(&[("b", "replica")], &seen(true, 4)), Leader::NotMoved { leads: None }));
        for roles in
            [&[][..], &[("c", "leader"), ("b", "replica")], &[("a", "leader"), ("c", "leader"), ("b", "replica")]]
        {
            assert!(matches!(of(roles, &seen(true, 4)), Leader::Unclear(_)), "{roles:?}");
        }
    }
}
