//! Runs by a written plan: people confirm, a pause holds everything, a failure takes back what was done.

use std::{collections::BTreeMap, path::Path};

use muster_domain::{
    execution,
    pb::{
        common::v1::Role,
        execution::v1::{ExecutionState, ExecutionView, PreflightRequest, StepState, Verdict},
        inventory::v1::{Kind, document},
        plan::v1::{
            Action, CommandAction, FailurePolicy, ManualAction, MoveAction, Phase, PlanSpec, PlanStep, action,
            plan_spec::Scope,
        },
        request::v1::RequestType,
    },
};
use muster_runtime::config::PlanCommand;
use muster_testing::Person;

use crate::{
    movers::{Around, movers},
    people::{Asked, person},
    world::{RESOURCE, World, eventually},
};

const PLAN: &str = "ledger-plan";

fn step(id: &str, after: &[&str], kind: action::Kind) -> PlanStep {
    PlanStep {
        id: id.into(),
        title: id.into(),
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        action: Some(Action { kind: Some(kind) }),
        ..PlanStep::default()
    }
}

fn manual(instructions: &str) -> action::Kind {
    action::Kind::Manual(ManualAction { role: Role::Operator.into(), instructions: instructions.into() })
}

fn command(name: &str, file: &Path) -> action::Kind {
    action::Kind::Command(CommandAction { name: name.into(), arguments: vec![file.display().to_string()] })
}

fn the_move() -> action::Kind {
    action::Kind::Move(MoveAction { resource: RESOURCE.into() })
}

async fn declare(world: &World, steps: Vec<PlanStep>) {
    let spec = PlanSpec {
        scope: Some(Scope::Resource(RESOURCE.into())),
        from_site: "west".into(),
        to_site: "east".into(),
        phases: vec![Phase { name: "all".into(), title: "All".into(), steps }],
        ..PlanSpec::default()
    };
    world.declare_document(Kind::Plan, PLAN, document::Spec::PlanSpec(spec)).await;
}

/// Programs that plans may name: one that makes a file, one that takes it away, one that fails.
fn allow_commands(world: &mut World) {
    let program = |path: &str| PlanCommand { tenant: "acme".into(), program: path.into(), ..PlanCommand::default() };
    let commands = [("make", "/usr/bin/touch"), ("remove", "/bin/rm"), ("fail", "/bin/false")];
    world.config.executor.commands =
        commands.map(|(name, path)| (name.to_owned(), program(path))).into_iter().collect::<BTreeMap<_, _>>();
}

fn asked(kind: RequestType, site: &'static str) -> Asked<'static> {
    Asked { kind, resource: RESOURCE, site, plan: PLAN, ..Asked::default() }
}

fn state(view: &ExecutionView, id: &str) -> StepState {
    let all = view.steps.iter().chain(&view.undo_steps);
    all.filter(|step| step.step.as_ref().unwrap().id == id).map(|step| step.state()).next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_step_waits_for_its_role_and_a_pause_holds_what_comes_next() {
    let world = World::start().await;
    declare(
        &world,
        vec![step("stop-app", &[], manual("Stop the application")), step("move", &["stop-app"], the_move())],
    )
    .await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request = world.confirmed_for(&asked(RequestType::Switchover, "east")).await;
    eventually("the manual step waits", async || {
        let view = world.execution(&request).await;
        !view.steps.is_empty() && state(&view, "stop-app") == StepState::Waiting
    })
    .await;
    assert!(counts.lock().unwrap().is_empty(), "nothing begins before a person has confirmed");

    let (olga, now) = (person("Olga"), jiff::Timestamp::now());
    world.say(&request, &olga, |e| execution::request_pause(e, &olga, "wait for the bank", now)).await;
    world.say(&request, &olga, |e| execution::decide_manual(e, &olga, "stop-app", true, "stopped at 12:00", now)).await;
    world.say(&request, &olga, |e| execution::note(e, &olga, "", "the bank calls back", now)).await;
    let paused = world.execution(&request).await;
    assert_eq!(state(&paused, "stop-app"), StepState::Succeeded);
    assert_eq!(state(&paused, "move/checkpoint-primary"), StepState::Pending);
    assert!(counts.lock().unwrap().is_empty());

    world.say(&request, &olga, |e| execution::resume(e, &olga, "", now)).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    assert_eq!(view.manual_decisions.len(), 1);
    assert_eq!(view.notes.len(), 1);
    assert_eq!(world.pair.is_primary("b").await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_takes_back_what_was_done_newest_first() {
    let mut world = World::start().await;
    allow_commands(&mut world);
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let undoable = |id: &str, after: &[&str], file: &Path| PlanStep {
        undo: Some(Action { kind: Some(command("remove", file)) }),
        ..step(id, after, command("make", file))
    };
    declare(
        &world,
        vec![
            undoable("one", &[], &one),
            undoable("two", &["one"], &two),
            PlanStep {
                on_failure: FailurePolicy::Undo.into(),
                ..step("three", &["two"], command("fail", directory.path()))
            },
            step("move", &["three"], the_move()),
        ],
    )
    .await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request = world.confirmed_for(&asked(RequestType::Switchover, "east")).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Failed, "{view:#?}");
    assert_eq!(view.failed.as_ref().unwrap().step, "three");
    let undone: Vec<_> = view.undo_steps.iter().map(|step| step.step.as_ref().unwrap().id.clone()).collect();
    assert_eq!(undone, ["undo:two", "undo:one"]);
    assert_eq!((state(&view, "one"), state(&view, "undo:one")), (StepState::Undone, StepState::Succeeded));
    assert!(!one.exists() && !two.exists(), "the files are gone again");
    assert!(counts.lock().unwrap().is_empty(), "nothing was moved");
    assert_eq!(world.pair.is_primary("a").await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_takes_back_an_earlier_run_by_its_own_steps_newest_first() {
    let mut world = World::start().await;
    allow_commands(&mut world);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("moved");
    let flag = PlanStep {
        undo: Some(Action { kind: Some(command("remove", &file)) }),
        ..step("flag", &["move"], command("make", &file))
    };
    declare(&world, vec![step("move", &[], the_move()), flag]).await;
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let run = world.confirmed_for(&asked(RequestType::Switchover, "east")).await;
    assert_eq!(world.ended(&run).await.state(), ExecutionState::Succeeded);
    assert!(file.exists() && world.pair.is_primary("b").await == Some(true));

    let back = Asked { takes_back: Some(&run), ..asked(RequestType::Rollback, "") };
    let back = world.confirmed_for(&back).await;
    let view = world.ended(&back).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    let first = view.steps.first().and_then(|step| step.step.as_ref()).unwrap();
    assert_eq!(first.id, "undo:flag");
    assert!(view.steps.iter().any(|step| step.step.as_ref().unwrap().id == "return-ledger/promote-target"));
    assert!(!file.exists(), "what the plan did is taken back");
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (Some(true), Some(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_drill_goes_over_and_comes_back_in_one_run() {
    let world = World::start().await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let asked = Asked { plan: "", ..asked(RequestType::LiveDrill, "east") };
    let request = world.confirmed_for(&asked).await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (Some(true), Some(false)));
    assert_eq!(state(&view, "prove:ledger"), StepState::Succeeded);
    assert_eq!(counts.lock().unwrap()["promote-target"], 2, "there and back");
    assert!(view.started.unwrap().drill);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drills_that_touch_nothing_touch_nothing_and_a_preflight_says_the_same_before() {
    let world = World::start().await;
    let (find, counts) = movers(Around::Nothing);
    let executor = world.executor(find).await;
    let olga = Person::login(&executor.url, "olga").await.unwrap();
    let ask = PreflightRequest {
        tenant: "acme".into(),
        r#type: "switchover".into(),
        resource: RESOURCE.into(),
        target_site: "east".into(),
        idempotency_key: "p-1".into(),
        ..PreflightRequest::default()
    };
    let first = olga.executor().preflight(olga.request(ask.clone())).await.unwrap().into_inner().report.unwrap();
    assert_ne!(first.verdict(), Verdict::NoGo, "{first:#?}");
    assert!(first.checks.iter().any(|check| check.name == "target_is_standby") && first.markers.len() == 2);
    let again = olga.executor().preflight(olga.request(ask)).await.unwrap().into_inner().report.unwrap();
    assert_eq!(first, again, "one key is one preflight");

    let readiness = world.confirmed_for(&Asked { plan: "", ..asked(RequestType::ReadinessDrill, "east") }).await;
    let view = world.ended(&readiness).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");

    declare(&world, vec![step("call", &[], manual("Call the bank")), step("move", &["call"], the_move())]).await;
    let tabletop = world.confirmed_for(&asked(RequestType::TabletopDrill, "east")).await;
    let (olga, now) = (person("Olga"), jiff::Timestamp::now());
    for id in ["call", "move"] {
        eventually("the step is talked about", async || {
            let view = world.execution(&tabletop).await;
            !view.steps.is_empty() && state(&view, id) == StepState::Waiting
        })
        .await;
        world.say(&tabletop, &olga, |e| execution::decide_manual(e, &olga, id, true, "clear", now)).await;
    }
    let view = world.ended(&tabletop).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    assert!(counts.lock().unwrap().is_empty(), "nothing was run");
    assert_eq!(world.pair.is_primary("a").await, Some(true));
}
