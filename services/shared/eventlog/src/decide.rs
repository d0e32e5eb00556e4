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
        // On the heap: a large aggregate is in it more than once, and callers carry it through all of their own.
        Box::pin(self.decide_from(tenant, id, None, meta, &mut decide)).await
    }

    /// The same, but decides first on a state that the caller believes to be the newest, without reading it. What is then
    /// appended is appended to just that state; anything else is decided again on what is in the log.
    pub async fn decide_on<A, R>(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        believed: Loaded<A>,
        meta: &Meta,
        mut decide: impl FnMut(&A) -> Result<Option<A::Event>, R>,
    ) -> Result<Decided<A>, DecideError<R>>
    where
        A: Aggregate,
    {
        Box::pin(self.decide_from(tenant, id, Some(believed), meta, &mut decide)).await
    }

    async fn decide_from<A, R>(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        mut believed: Option<Loaded<A>>,
        meta: &Meta,
        decide: &mut impl FnMut(&A) -> Result<Option<A::Event>, R>,
    ) -> Result<Decided<A>, DecideError<R>>
    where
        A: Aggregate,
    {
        let mut delays = pauses(LONGEST_PAUSE);
        for _ in 0..MAX_TRIES {
            let (loaded, event) = match believed.take() {
                // Only what the log accepts at that place shows that the belief was right.
                Some(believed) => match decide(&believed.state) {
                    Ok(Some(event)) => (believed, event),
                    Ok(None) | Err(_) => continue,
                },
                None => {
                    let loaded = self.load::<A>(tenant, id).await?;
                    if loaded.event_ids.contains(&meta.event_id) {
                        return Ok(decided(loaded, Outcome::AlreadyDone));
                    }
                    match decide(&loaded.state).map_err(DecideError::Refused)? {
                        Some(event) => (loaded, event),
                        None => return Ok(decided(loaded, Outcome::Nothing)),
                    }
                }
            };
            match self.append_to(tenant, id, &loaded, meta, &event).await {
                // Carried out before: what it led to is in the log.
                Ok(appended) if appended.was_there => {}
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

impl<A> Decided<A> {
    /// To decide on next, where nobody else decides about this aggregate.
    pub fn into_believed(self) -> Loaded<A> {
        Loaded { state: self.state, version: self.version, sequence: self.sequence, event_ids: Vec::new() }
    }
}

fn decided<A>(loaded: Loaded<A>, outcome: Outcome) -> Decided<A> {
    Decided { state: loaded.state, version: loaded.version, sequence: loaded.sequence, outcome }
}
