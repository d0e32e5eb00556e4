//! An isolated drill as a run: a copy is made, asked and removed, whatever happens in between.

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use muster_domain::pb::{
    execution::v1::{CheckOutcome, ExecutionState, StepState},
    inventory::v1::{IntegrityCheck, IsolatedDrill, StandbySource, integrity_check::Question, isolated_drill::Source},
    request::v1::RequestType,
};

use crate::{
    movers::{Around, movers},
    people::Asked,
    world::{RESOURCE, World, spec_of},
};

/// Owned by the servers' user, with a short path: a socket's has 107 bytes.
fn drill_directory(world: &World) -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("mr-").tempdir_in("/var/tmp").unwrap();
    let owner = std::fs::metadata(world.pair.b.dir()).unwrap();
    chown(directory.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
    directory
}

async fn declare(world: &World, question: &str, expect: &str) {
    let mut spec = spec_of(world.pair.target());
    spec.isolated_drill =
        Some(IsolatedDrill { agent: "agent-b".into(), source: Some(Source::Standby(StandbySource {})) });
    spec.integrity = vec![IntegrityCheck {
        name: "rows".into(),
        question: Some(Question::Sql(question.into())),
        expect: expect.into(),
        ..IntegrityCheck::default()
    }];
    world.declare_resource(RESOURCE, spec).await;
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_made_asked_measured_and_gone_and_so_is_one_that_says_something_else() {
    let mut world = World::start().await;
    let place = drill_directory(&world);
    world.config.executor.agents.get_mut("agent-b").unwrap().drill_directory = Some(place.path().to_owned());
    world.pair.a.sql("GRANT SELECT ON ledger TO exec; INSERT INTO ledger VALUES (1), (2)").await.unwrap();
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let asked = Asked { kind: RequestType::IsolatedDrill, resource: RESOURCE, site: "east", ..Asked::default() };

    declare(&world, "SELECT 2", "2").await;
    let request = world.confirmed_for(&asked).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    let [copy] = view.copies.as_slice() else { panic!("{view:#?}") };
    assert!(copy.restore_time.is_some() && copy.bytes.is_some_and(|bytes| bytes > 0), "{copy:?}");
    assert!(copy.teardown.len() > 1, "{copy:?}");
    assert!(copy.teardown.iter().all(|check| check.outcome() == CheckOutcome::Passed), "{copy:?}");
    assert_eq!(view.integrity.len(), 1);
    assert!(is_empty(place.path()), "no file is left");

    // Its data is not what it must be: the drill fails, and the copy is gone all the same.
    declare(&world, "SELECT 3", "2").await;
    let request = world.confirmed_for(&asked).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Failed, "{view:#?}");
    let failed = view.failed.unwrap();
    assert_eq!(failed.step, "copy:ledger/query-copy");
    assert!(failed.known_state.contains("was removed, and nothing of it is left"), "{}", failed.known_state);
    let removed = view.steps.iter().find(|step| step.step.as_ref().unwrap().id.ends_with("remove-copy")).unwrap();
    assert_eq!(removed.state(), StepState::Pending, "it is done at the end of every run that fails");
    assert!(is_empty(place.path()), "no file is left");

    assert!(counts.lock().unwrap().is_empty(), "production was not touched");
    assert_eq!(world.pair.is_primary("a").await, Some(true));
}
