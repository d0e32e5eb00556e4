//! Prechecks: yes to a healthy pair, no to everything else, and nothing is changed by asking.

use std::sync::Arc;

use muster_platform::{Login, MoveJob, MoveKind};

use crate::{
    drive::{blocking, eventually},
    fixture::Fixture,
    load::number,
};

pub(crate) async fn wrong_pairs_are_refused<F: Fixture>(fixture: Arc<F>) {
    plans_are_complete(&*fixture);
    let mover = fixture.mover();
    let healthy = || fixture.job(MoveKind::Switchover, "a", "b");
    eventually("a healthy pair may be moved", async || blocking(&mover.prechecks(&healthy()).await).is_empty()).await;

    let with_agents = !healthy().agents.is_empty() || !healthy().services.is_empty();
    let mut wrong: Vec<(&str, MoveJob)> = vec![
        ("the roles are swapped", fixture.job(MoveKind::Switchover, "b", "a")),
        ("one node on both sides", fixture.job(MoveKind::Switchover, "a", "a")),
        ("a node that is not declared", fixture.job(MoveKind::Switchover, "a", "c")),
        ("a failover of a primary that serves", fixture.job(MoveKind::Failover, "a", "b")),
    ];
    let mut refused = healthy();
    refused.execute = Login { user: refused.execute.user.clone(), password: "wrong".to_owned().into() };
    wrong.push(("the account is refused", refused));
    if with_agents {
        let mut without = healthy();
        (without.agents, without.services) = Default::default();
        wrong.push(("no agents", without));
        let mut swapped = healthy();
        swap(&mut swapped.agents);
        swap(&mut swapped.services);
        wrong.push(("the agents are swapped", swapped));
        let mut twice = healthy();
        if let Some(agent) = twice.agents.get("a").cloned() {
            twice.agents.insert("b".into(), agent);
        }
        if let Some(agent) = twice.services.get("a").cloned() {
            twice.services.insert("b".into(), agent);
        }
        wrong.push(("one agent for both", twice));
    }
    for (what, job) in wrong {
        let checks = mover.prechecks(&job).await;
        let no = blocking(&checks);
        assert!(!no.is_empty(), "{what}: {checks:#?}");
        assert!(no.iter().all(|check| !check.text.is_empty()), "{what}: a check without words");
    }
    assert!(fixture.write("a", number()).await, "asking changed something");
    assert!(!fixture.write("b", number()).await);

    fixture.kill("b").await;
    assert!(!blocking(&mover.prechecks(&healthy()).await).is_empty(), "the target is gone");
    let (markers, unavailable) = mover.markers(&healthy()).await;
    assert_eq!((markers.len(), unavailable.len()), (1, 1), "{markers:?} {unavailable:?}");
    assert!(unavailable[0].starts_with("b: "), "{unavailable:?}");
    let state = mover.known_state(&healthy(), &Default::default()).await;
    assert!(state.contains("a is a primary") && state.contains("b does not answer"), "{state}");
}

fn swap<T: Clone>(agents: &mut std::collections::BTreeMap<String, T>) {
    if let (Some(a), Some(b)) = (agents.get("a").cloned(), agents.get("b").cloned()) {
        agents.insert("a".into(), b);
        agents.insert("b".into(), a);
    }
}

fn plans_are_complete<F: Fixture>(fixture: &F) {
    for kind in [MoveKind::Switchover, MoveKind::Failover] {
        let plan = fixture.mover().plan(&fixture.job(kind, "a", "b"));
        assert_eq!(
            plan,
            fixture.mover().plan(&fixture.job(kind, "a", "b")),
            "the plan is fixed before the first effect"
        );
        assert!(!plan.is_empty());
        for (index, step) in plan.iter().enumerate() {
            assert!(plan.iter().take(index).all(|earlier| earlier.id != step.id), "{} is there twice", step.id);
            assert!(["a", "b"].contains(&step.node.as_str()), "{}: node '{}'", step.id, step.node);
            assert!(step.timeout.is_some(), "{} may take for ever", step.id);
            for text in [&step.title, &step.guidance] {
                assert!(!text.is_empty() && !text.contains(['{', '}']), "{}: '{text}'", step.id);
            }
        }
    }
}
