//! A Patroni cluster is judged by its databases, and by what its manager says beside them.

use super::given::{Pair, at, codes, healthy, orders_db, secs};
use crate::pb::common::v1::Tier;
use crate::pb::inventory::v1::{PatroniNode, PatroniTarget, ResourceSpec, resource_spec::Platform};
use crate::pb::observation::v1::{ErrorClass, PatroniFacts, node_observation::Result as NodeResult};
use crate::pb::readiness::v1::{Assessment, Status};
use crate::readiness::thresholds::Limits;
use crate::readiness::watch::Watch;
use crate::time::to_pb;

fn cluster() -> ResourceSpec {
    let node = |name: &str, site: &str, port| PatroniNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port,
        api_url: format!("http://127.0.0.1:{}", port + 1000),
    };
    let target = PatroniTarget { nodes: vec![node("a", "east", 5001), node("b", "west", 5002)], ..Default::default() };
    ResourceSpec { platform: Some(Platform::Patroni(target)), ..orders_db() }
}

/// Two looks at a healthy pair, and then this one, by its manager.
fn judged(pair: Pair, change: impl Fn(&str, &mut PatroniFacts)) -> Assessment {
    let (spec, mut watch) = (cluster(), Watch::new(at(0.0)));
    for (sequence, pair) in [healthy(0.0), healthy(2.0), pair.clone()].into_iter().enumerate() {
        let last = sequence == 2;
        let mut observation = pair.observation(sequence as u64 + 1);
        for node in &mut observation.nodes {
            let mut facts = PatroniFacts {
                role: if node.node == "a" { "primary" } else { "replica" }.into(),
                state: if node.node == "a" { "running" } else { "streaming" }.into(),
                paused: Some(false),
                unlocked: Some(false),
                pending_restart: Some(false),
                dcs_last_seen: Some(to_pb(at(pair.time))),
                ..Default::default()
            };
            match node.result.take().unwrap() {
                NodeResult::Postgresql(database) => facts.database = Some(database),
                NodeResult::Error(error) => facts.database_error = error.message,
                other => panic!("{other:?}"),
            }
            if last {
                change(&node.node, &mut facts);
            }
            node.result = Some(NodeResult::Patroni(facts));
        }
        assert!(watch.observe(&spec, &observation, at(pair.time)));
    }
    let limits = Limits::effective(Tier::Tier1, spec.rpo.as_ref(), [], None);
    watch.assessment(&limits, at(pair.time) + secs(0.5))
}

#[test]
fn a_healthy_cluster_is_green_for_the_same_reason_as_a_pair_without_a_manager() {
    let assessment = judged(healthy(4.0), |_, _| {});
    assert_eq!((assessment.status(), codes(&assessment).as_str()), (Status::Green, "RPO_OK"));
    assert!(assessment.primary.is_some() && assessment.standby.is_some() && assessment.rpo_now.is_some());
}

#[test]
fn what_the_manager_says_is_added_and_never_hides_what_the_databases_say() {
    let only = |change: fn(&str, &mut PatroniFacts)| codes(&judged(healthy(4.0), change));
    assert!(only(|_, facts| facts.paused = Some(true)).contains("PATRONI_PAUSED"));
    assert!(only(|_, facts| facts.unlocked = Some(true)).contains("PATRONI_NO_LEADER"));
    let restart = only(|name, facts| facts.pending_restart = Some(name == "b"));
    assert_eq!(restart.matches("PATRONI_PENDING_RESTART").count(), 1, "{restart}");
    assert!(only(|_, facts| facts.api_error = "refused".into()).contains("PATRONI_UNREACHABLE"));
    assert!(only(|_, facts| facts.role = "replica".into()).contains("PATRONI_ROLE_DIFFERS"));
    assert!(only(|_, facts| facts.dcs_last_seen = Some(to_pb(at(-60.0)))).contains("PATRONI_STORE_SILENT"));

    let severed = judged(healthy(4.0).with(|pair| pair.severed_at(2.0)), |_, facts| facts.paused = Some(true));
    assert_eq!(severed.status(), Status::Red);
    assert!(codes(&severed).contains("RECEIVER_MISSING") && codes(&severed).contains("PATRONI_PAUSED"));
}

/// Patroni may say what it likes of a member: without a look into the database nothing is known of it.
#[test]
fn a_manager_that_answers_does_not_stand_for_a_database_that_does_not() {
    let lost = healthy(4.0).with(|pair| pair.b = Err(ErrorClass::Unreachable));
    let assessment = judged(lost, |_, _| {});
    assert_ne!(assessment.status(), Status::Green);
    assert!(codes(&assessment).contains("STANDBY_UNREACHABLE"), "{}", codes(&assessment));
}

#[test]
fn an_answer_that_leaves_everything_out_says_nothing_good_and_nothing_bad_of_the_manager() {
    let assessment = judged(healthy(4.0), |_, facts| {
        *facts = PatroniFacts { database: facts.database.clone(), ..Default::default() };
    });
    assert_eq!(codes(&assessment), "RPO_OK");
}
