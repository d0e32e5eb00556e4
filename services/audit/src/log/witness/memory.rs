//! What each witness last said about each log, and until when it is left alone after a failure. Only in this process: a
//! witness tells its size whenever it is asked with another.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use muster_domain::pb::audit::v1::WitnessState;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// So soon it is asked again when it comes back.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LATE: &str = "it had not answered when the others had, and was not waited for";

#[derive(Debug, Clone, Default)]
struct Known {
    size: u64,
    cosigned_at: Option<Timestamp>,
    cosigned_size: u64,
    problem: String,
    failures: u32,
    rests_until: Option<Instant>,
}

/// By origin and witness.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<(String, String), Known>>);

impl Memory {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, origin: &str, witness: &str, change: impl FnOnce(&mut Known)) {
        change(self.all().entry((origin.to_owned(), witness.to_owned())).or_default());
    }

    fn known(&self, origin: &str, witness: &str) -> Known {
        self.all().get(&(origin.to_owned(), witness.to_owned())).cloned().unwrap_or_default()
    }

    /// The size it cosigned last, as far as is known; 0 makes it tell.
    pub(super) fn size(&self, origin: &str, witness: &str) -> u64 {
        self.known(origin, witness).size
    }

    pub(super) fn rests(&self, origin: &str, witness: &str) -> bool {
        self.known(origin, witness).rests_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn saw(&self, origin: &str, witness: &str, size: u64) {
        self.change(origin, witness, |known| known.size = size);
    }

    pub(super) fn cosigned(&self, origin: &str, witness: &str, size: u64, at: Timestamp) {
        let cosigned_at = Some(at);
        let new = Known { size, cosigned_at, cosigned_size: size, ..Known::default() };
        self.change(origin, witness, |known| *known = new);
    }

    pub(super) fn failed(&self, origin: &str, witness: &str, problem: String) {
        self.change(origin, witness, |known| {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(known.failures)).min(LONGEST_PAUSE);
            known.failures = known.failures.saturating_add(1);
            known.rests_until = Some(Instant::now() + pause);
            known.problem = problem;
        });
    }

    /// Slow this time; it is asked again with the next checkpoint.
    pub(super) fn late(&self, origin: &str, witness: &str) {
        self.change(origin, witness, |known| LATE.clone_into(&mut known.problem));
    }

    pub(super) fn state(&self, origin: &str, witness: &str) -> WitnessState {
        let known = self.known(origin, witness);
        WitnessState {
            name: witness.to_owned(),
            size: known.cosigned_size,
            cosigned_at: known.cosigned_at.map(muster_domain::time::to_pb),
            problem: known.problem,
        }
    }
}
