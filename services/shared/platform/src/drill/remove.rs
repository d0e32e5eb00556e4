//! The last step, whatever became of the others: processes, files, and the sessions on the standby.

use std::time::Instant;

use super::{DrillError, DrillJob, place::Place, processes, server, verify};
use crate::{StepDone, StepError, step::done};

/// How often the standby is asked whether our sessions are gone.
const POLL: std::time::Duration = std::time::Duration::from_millis(200);

/// Removes all there is of this drill. Nothing there: done.
pub async fn remove(job: &DrillJob) -> Result<StepDone, StepError> {
    Ok(Box::pin(tear_down(job)).await?)
}

async fn tear_down(job: &DrillJob) -> Result<StepDone, DrillError> {
    let place = Place::of(job)?;
    let was_there = place.exists();
    place.must_be_ours(job)?;
    server::stop(job, &place).await;
    let ended = processes::end(place.root()).await?;
    let (clearing, of) = (place.clone(), job.clone());
    let cleared = tokio::task::spawn_blocking(move || clearing.clear(&of)).await;
    cleared.map_err(|error| DrillError::Copy(format!("the removal was interrupted: {error}")))??;
    let deadline = Instant::now() + job.limits.remove;
    while let Some(left) = verify::sessions(job, &place).await.left() {
        if Instant::now() >= deadline {
            return Err(DrillError::Copy(format!("sessions of the drill are still on a server: {left}")));
        }
        tokio::time::sleep(POLL).await;
    }
    if !was_there && ended == 0 {
        return Ok(done("nothing of it was there", []));
    }
    Ok(done(format!("removed {}", place.root().display()), []))
}
