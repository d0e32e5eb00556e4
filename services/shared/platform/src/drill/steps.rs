//! The drill as steps: planned, looked at, run.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time::duration_to_pb};

use super::{
    DrillJob, inspect,
    place::{Place, Stage},
    prepare, processes, remove, server, start, verify,
};
use crate::{Facts, Probe, StepDone, StepError};

pub const COPY: &str = "copy";
pub const START: &str = "start-copy";
pub const INSPECT: &str = "inspect-copy";
pub const REMOVE: &str = "remove-copy";

/// Questions have limits of their own; together they take no longer than this.
const INSPECT_LIMIT: Duration = Duration::from_secs(3_600);

pub fn plan(job: &DrillJob) -> Vec<Step> {
    let step = |id: &str, title: &str, limit: Duration, guidance: &str| Step {
        id: id.to_owned(),
        title: title.to_owned(),
        node: "copy".to_owned(),
        // Each looks first at what is there.
        idempotent: true,
        timeout: jiff::SignedDuration::try_from(limit).ok().map(duration_to_pb),
        guidance: guidance.to_owned(),
        changes_target: false,
        resource: job.resource.clone(),
        ..Step::default()
    };
    let limits = &job.limits;
    vec![
        step(
            COPY,
            "Make a copy apart from production",
            limits.copy,
            "Production is untouched. Read the reason, and run the drill again",
        ),
        step(
            START,
            "Start the copy by itself",
            limits.start,
            "The copy could not be started: a restore of it would fail as well. Its log says why",
        ),
        step(
            INSPECT,
            "Question the copy",
            INSPECT_LIMIT,
            "The copy runs and could not be questioned. Production is untouched",
        ),
        step(
            REMOVE,
            "Remove the copy",
            limits.remove,
            "Parts of the copy are left: the checks of the tear-down name them. Remove them by hand",
        ),
    ]
}

/// Whether the step's effect is there. Changes nothing.
pub async fn probe(job: &DrillJob, step: &str) -> Probe {
    let looked = async {
        let place = Place::of(job)?;
        let state = place.state(job)?;
        let is_copied = state.as_ref().is_some_and(|state| state.stage == Stage::Copied);
        let (there, note) = match step {
            COPY => (is_copied, "the copy is there"),
            START => {
                let answered = state.as_ref().is_some_and(|state| state.answered_at.is_some());
                (answered && server::is_up(job, &place).await, "the copy answers")
            }
            REMOVE => {
                let gone = !place.exists() && processes::find(place.root())?.is_empty();
                (gone && verify::sessions(job, &place).await.left().is_none(), "nothing of it is there")
            }
            _ => (false, ""),
        };
        Ok::<_, super::DrillError>(there.then(|| note.to_owned()))
    };
    match Box::pin(looked).await {
        Ok(Some(note)) => Probe::Done { note, outputs: Facts::new() },
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.to_string()),
    }
}

/// Runs one step of [`plan`]. For [`INSPECT`] the answers are lost this way: call [`inspect`] and record them.
pub async fn run(job: &DrillJob, step: &str) -> Result<StepDone, StepError> {
    match step {
        COPY => prepare(job).await,
        START => start(job).await,
        INSPECT => {
            let found = inspect(job).await?;
            Ok(StepDone { note: found.note(), outputs: found.outputs() })
        }
        REMOVE => remove(job).await,
        other => Err(StepError::refused(format!("a drill has no step '{other}'"))),
    }
}
