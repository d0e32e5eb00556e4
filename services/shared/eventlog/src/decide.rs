//! Load, decide, append; again if somebody was faster.

use std::time::Duration;

use muster_domain::{Aggregate, AggregateId, TenantId};

use crate::{
    EventLog,
    error::{AppendError, DecideError},
    load::Loaded,
    record::Meta,
    retry::pauses,
};

/// Tries before a caller hears "contended". Even 16 writers at full speed on one aggregate stay below it.
const MAX_TRIES: u32 = 64;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The aggregate after the decision.
#[derive(Debug, Clone)]
pub struct Decided<A> {
    pub state: A,
    pub version: u64,
    /// Position of the aggregate's last event in the tenant's log: what to wait for in a read model.
    pub sequence: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The event is in the log now.
    Appended,
    /// What was asked for already held: nothing was written.
    Nothing,
    /// An event with this id is in the aggregate: the command was carried out before.
    AlreadyDone,
}

impl EventLog {
    /// Runs `decide` on the current state and appends what it decides. Called again with the same `meta.event_id`
    /// after a success, it does not decide again but returns [`Outcome::AlreadyDone`] with the state as it is now.
    /// `decide` may run several times, on a newer state each time, and must not have effects of its own.
    pub async fn decide<A, R>(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        meta: &Meta,
        mut decide: impl FnMut(&A) -> Result<Option<A::Event>, R>,
    ) -> Result<Decided<A>, DecideError<R>>
    where
        A: Aggregate,
    {
        let mut delays = pauses(LONGEST_PAUSE);
        for _ in 0..MAX_TRIES {
            let loaded = self.load::<A>(tenant, id).await?;
            if loaded.event_ids.contains(&meta.event_id) {
                return Ok(decided(loaded, Outcome::AlreadyDone));
            }
            let Some(event) = decide(&loaded.state).map_err(DecideError::Refused)? else {
                return Ok(decided(loaded, Outcome::Nothing));
            };
            match self.append_to(tenant, id, &loaded, meta, &event).await {
                Ok(appended) => {
                    let mut state = loaded.state;
                    state.evolve(&event);
                    return Ok(Decided {
                        state,
                        version: appended.version,
                        sequence: appended.sequence,
                        outcome: Outcome::Appended,
                    });
                }
                Err(AppendError::Conflict { .. }) => {
                    metrics::counter!("muster_log_conflicts_total", "kind" => A::KIND).increment(1);
                    tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(DecideError::Contended { kind: A::KIND, id: id.to_string(), tries: MAX_TRIES })
    }
}

fn decided<A>(loaded: Loaded<A>, outcome: Outcome) -> Decided<A> {
    Decided { state: loaded.state, version: loaded.version, sequence: loaded.sequence, outcome }
}
