//! Taking back: newest first, and nothing around a move that cannot be taken back.

use super::super::*;
use super::given::*;
use crate::aggregate::Aggregate;
use crate::pb::execution::v1::Step;
use crate::pb::plan::v1::FailurePolicy::{Stop, Undo};

fn ids(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.id.as_str()).collect()
}

fn begins(execution: &mut Execution) {
    let event = begin_undo(execution, "one", now()).unwrap().unwrap();
    execution.evolve(&event);
}

#[test]
fn the_newest_is_taken_back_first_and_the_run_fails_with_what_failed() {
    let mut execution = ready(vec![undoable("a", &[], Stop), undoable("b", &["a"], Stop), undoable("c", &["b"], Undo)]);
    assert_eq!(begin_undo(&execution, "one", now()).unwrap_err().code, "NOTHING_TO_UNDO");
    done(&mut execution, "a");
    done(&mut execution, "b");
    fails(&mut execution, "c");
    assert_eq!(can(&execution), ["undo after c"]);
    begins(&mut execution);
    assert!(begin_undo(&execution, "one", now()).unwrap().is_none());
    assert_eq!(can(&execution), ["run undo:b"]);
    assert!(matches!(claim_step(&execution, "one", "undo:a", false, now()), Err(ClaimRefused::NotNext(_))));
    done(&mut execution, "undo:b");
    assert_eq!(execution.step("b").unwrap().state(), StepState::Undone);
    assert_eq!(execution.step("a").unwrap().state(), StepState::Succeeded);
    done(&mut execution, "undo:a");
    assert_eq!(can(&execution), ["fail at c"]);
}

#[test]
fn an_undo_that_fails_ends_there_and_a_stop_ends_it_too() {
    let mut execution = ready(vec![undoable("a", &[], Stop), undoable("b", &["a"], Stop), undoable("c", &["b"], Undo)]);
    done(&mut execution, "a");
    done(&mut execution, "b");
    fails(&mut execution, "c");
    begins(&mut execution);
    let mut stopped = execution.clone();
    stopped.evolve(&request_stop(&stopped, &Default::default(), "why", now()).unwrap().unwrap());
    assert_eq!(claim_step(&stopped, "one", "undo:b", false, now()), Err(ClaimRefused::StopRequested));
    assert_eq!(can(&stopped), ["fail at c"]);
    fails(&mut execution, "undo:b");
    assert_eq!(can(&execution), ["fail at c"]);
    assert!(claim_step(&execution, "one", "undo:a", false, now()).is_err());
}

#[test]
fn a_move_before_its_point_of_no_return_is_its_platforms_and_past_it_nothing_around_it_is_taken_back() {
    let last = |id: &str, after: &[&str]| Step { idempotent: false, ..step(id, after) };
    let steps = || {
        vec![
            undoable("stop-app", &[], Stop),
            step("move/stop", &["stop-app"]),
            last("move/promote", &["move/stop"]),
            undoable("dns", &["move/promote"], Stop),
            undoable("aside", &[], Stop),
            undoable("last", &["dns", "aside"], Undo),
        ]
    };
    let mut before = ready(steps());
    done(&mut before, "aside");
    done(&mut before, "stop-app");
    done(&mut before, "move/stop");
    assert_eq!(ids(&undo_steps(&before)), ["undo:move", "undo:stop-app", "undo:aside"]);

    let mut past = before.clone();
    done(&mut past, "move/promote");
    done(&mut past, "dns");
    fails(&mut past, "last");
    assert_eq!(ids(&undo_steps(&past)), ["undo:aside"]);

    // It may have been promoted: nobody can tell, so it counts as if it was.
    let mut in_doubt = before.clone();
    claim(&mut in_doubt, "move/promote");
    assert_eq!(ids(&undo_steps(&in_doubt)), ["undo:aside"]);
}
