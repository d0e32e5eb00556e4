//! What a step needs around it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::{
    pb::plan::v1::{Action, PlanStep, action::Kind},
    plan::{self, Direction},
    time::duration_to_pb,
};
use muster_runtime::{
    Clock, SecretResolver,
    config::{PlanCommand, Secrets},
    outgoing::Policy,
};

use crate::actions::{Resources, Seen, Surroundings, http::Outgoing};

pub(super) use muster_local::eventually;

/// A directory of secrets and the surroundings that use it.
pub(super) struct Stage {
    secrets: tempfile::TempDir,
    /// The request's id, another one for each.
    pub run: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        let secrets = tempfile::tempdir().unwrap();
        std::fs::create_dir(secrets.path().join("acme")).unwrap();
        Self { secrets, run: uuid::Uuid::now_v7().to_string() }
    }

    pub(super) fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.secrets.path().join("acme").join(name), text).unwrap();
    }

    /// Loopback is allowed, as `muster up` allows it.
    pub(super) fn surroundings(&self) -> Surroundings {
        self.allowing(&["127.0.0.0/8"])
    }

    pub(super) fn allowing(&self, allowed: &[&str]) -> Surroundings {
        let allowed: Vec<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        Surroundings {
            tenant: "acme".parse().unwrap(),
            run: self.run.clone(),
            secrets: SecretResolver::new(&Secrets { directory: Some(self.secrets.path().to_owned()) }),
            commands: BTreeMap::new(),
            clock: Clock::system(),
            resources: Arc::new(Ledger),
            outgoing: Outgoing::new(Policy::steps(&allowed).unwrap()),
        }
    }

    pub(super) fn with_command(&self, command: PlanCommand) -> Surroundings {
        Surroundings { commands: BTreeMap::from([("drain".to_owned(), command)]), ..self.surroundings() }
    }
}

/// A run with one member, which is at its target and not yet protected.
struct Ledger;

#[async_trait]
impl Resources for Ledger {
    async fn at_target(&self, resource: &str) -> Result<Seen, String> {
        known(resource)?;
        Ok(Seen { holds: true, text: "pg-b at ams is the primary".into() })
    }

    async fn protected(&self, resource: &str) -> Result<Seen, String> {
        known(resource)?;
        Ok(Seen { holds: false, text: "pg-a is 12 MiB behind".into() })
    }

    async fn one_value(&self, resource: &str, _: &str, _: Duration) -> Result<String, String> {
        known(resource).map(|()| "0".into())
    }
}

fn known(resource: &str) -> Result<(), String> {
    if resource == "ledger" { Ok(()) } else { Err(format!("{resource} is not a member of this run")) }
}

pub(super) fn step(kind: Kind) -> PlanStep {
    PlanStep {
        id: "switch".into(),
        title: "Switch".into(),
        timeout: Some(duration_to_pb(jiff::SignedDuration::from_secs(5))),
        action: Some(Action { kind: Some(kind) }),
        ..PlanStep::default()
    }
}

/// The step that takes it back, as a run makes it.
pub(super) fn undone(step: &PlanStep) -> Option<PlanStep> {
    let action = plan::undo_of(step, Direction::AsWritten)?;
    Some(PlanStep { action: Some(action), undo: None, ..step.clone() })
}

pub(super) fn within(step: PlanStep, seconds: i64) -> PlanStep {
    PlanStep { timeout: Some(duration_to_pb(jiff::SignedDuration::from_secs(seconds))), ..step }
}
