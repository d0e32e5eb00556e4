//! How things stand when a run ends early: each resource by itself, what was taken back, what stays, and the ways out.

use std::time::Duration;

use muster_domain::{
    execution::Execution,
    pb::{
        common::v1::LossStatement,
        execution::v1::{MemberOutcome, StepState, StepView},
        request::v1::RequestType,
    },
    statement::{unknown, worst},
    time::duration_to_pb,
};

use crate::{
    end::{AS_IT_WAS, UNTOUCHED},
    error::RunError,
    job::Job,
    leg::Leg,
    positions::History,
    run::{LOOK_LIMIT, Run, markers_of},
    statement::{self, Told},
};

/// A stop, a start and a restart of the other side, each within its own limit.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(900);

pub(crate) struct Aftermath {
    pub known_state: String,
    pub loss: Option<LossStatement>,
    pub members: Vec<MemberOutcome>,
    /// Everything is as it was before the run, for certain.
    restored: bool,
    /// For a group that was left in between.
    ways_out: String,
}

impl Aftermath {
    pub(crate) fn guidance(&self, otherwise: &str) -> String {
        if self.restored { AS_IT_WAS.to_owned() } else { format!("{otherwise}{}", self.ways_out) }
    }
}

/// One resource after an early end.
struct Standing {
    account: String,
    restored: bool,
    loss: Option<LossStatement>,
}

impl Run<'_> {
    /// Takes back what can be taken back, then looks at every node.
    pub(crate) async fn aftermath(&self, execution: &Execution) -> Result<Aftermath, RunError> {
        let current: Vec<&Leg> = self.resources().map(|leg| self.newest_leg(execution, leg)).collect();
        let mut standings = Vec::new();
        // The newest first: what came up last is taken back first.
        for leg in current.iter().rev() {
            standings.push(self.standing(execution, leg).await?);
        }
        standings.reverse();
        let copies = self.remove_copies(execution).await?;
        let states = futures::future::join_all(current.iter().map(|leg| self.known_state(execution, leg))).await;
        let told = current.iter().zip(&standings).zip(states).map(|((leg, standing), state)| {
            let name = if current.len() > 1 { format!("{}:", leg.resource()) } else { String::new() };
            let parts = [name, standing.account.clone(), state];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        });
        let mut known_state = told.collect::<Vec<_>>().join(" ");
        let stays = done_and_staying(execution);
        if !stays.is_empty() {
            known_state.push_str(&format!(" Done by the plan, and left as it is: {}.", stays.join(", ")));
        }
        known_state.push_str(&copies);
        if current.is_empty() {
            known_state.push_str("No system was touched.");
        }
        let mut members = self.outcomes(execution).await;
        let losses = current.iter().zip(&standings).filter_map(|(leg, s)| Some((leg.resource(), s.loss.as_ref()?)));
        for member in &mut members {
            member.loss = losses.clone().find(|(name, _)| *name == member.resource).map(|(_, loss)| loss.clone());
        }
        Ok(Aftermath {
            loss: worst(losses),
            restored: stays.is_empty() && standings.iter().all(|standing| standing.restored),
            ways_out: self.ways_out(&members),
            known_state: known_state.trim().to_owned(),
            members,
        })
    }

    /// Of a live drill the way back, once it was begun.
    fn newest_leg<'r>(&'r self, execution: &Execution, first: &'r Leg) -> &'r Leg {
        let touched = |leg: &&Leg| leg.resource() == first.resource() && leg.is_touched(execution);
        self.legs.iter().rev().find(touched).unwrap_or(first)
    }

    async fn standing(&self, execution: &Execution, leg: &Leg) -> Result<Standing, RunError> {
        if !leg.is_touched(execution) {
            return Ok(Standing { account: UNTOUCHED.to_owned(), restored: true, loss: None });
        }
        if leg.is_irreversible(execution, &[StepState::Succeeded]) {
            let account = if leg.is_complete(execution) && self.legs.len() > 1 {
                format!("Moved to {}.", leg.member.target_site)
            } else {
                String::new()
            };
            return Ok(Standing { account, restored: false, loss: Some(self.loss(leg, execution)) });
        }
        if leg.only_returns(execution) {
            let account = format!("The move was not begun: {} serves, untouched.", leg.member.from_node);
            return Ok(Standing { account, restored: false, loss: None });
        }
        let is_undone = |step: &StepView| matches!(step.state(), StepState::Undone | StepState::Pending);
        if leg.steps(execution).all(is_undone) {
            return Ok(Standing { account: "Taken back by the undo.".to_owned(), restored: true, loss: None });
        }
        let job = match &leg.job {
            Ok(job) => job,
            Err(error) => {
                let account = format!("Not taken back: {error}.");
                return Ok(Standing { account, restored: false, loss: Some(unknown("it could not be asked")) });
            }
        };
        let (restored, account) = match self.take_back(execution, leg, job).await? {
            Ok(text) => (true, format!("Taken back: {text}.")),
            Err(text) => (false, format!("Not taken back: {text}.")),
        };
        let in_doubt = !restored && leg.is_irreversible(execution, &[StepState::Running, StepState::Failed]);
        let loss = in_doubt.then(|| unknown("it is not known whether the target was promoted"));
        Ok(Standing { account, restored, loss })
    }

    /// The platform decides whether it is provably safe. Only the run's owner asks it to.
    async fn take_back(&self, execution: &Execution, leg: &Leg, job: &Job) -> Result<Result<String, String>, RunError> {
        let owner = self.current().await?.executor;
        if owner != self.executor.ctx.instance {
            return Err(RunError::NotOurs(format!("{owner} has taken the run over")));
        }
        let outcome = tokio::time::timeout(ROLLBACK_LIMIT, job.mover.rollback(&job.job, &leg.facts(execution))).await;
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| error.text),
            Err(_) => Err(format!("it did not come to an end within {} s", ROLLBACK_LIMIT.as_secs())),
        };
        let word = if outcome.is_ok() { "done" } else { "refused" };
        metrics::counter!("muster_executor_rollbacks_total", "outcome" => word).increment(1);
        tracing::warn!(resource = leg.resource(), outcome = ?outcome, "roll-back");
        Ok(outcome)
    }

    async fn known_state(&self, execution: &Execution, leg: &Leg) -> String {
        let job = match &leg.job {
            Ok(job) => job,
            Err(error) => return format!("Not known: {error}."),
        };
        let looked = tokio::time::timeout(LOOK_LIMIT, job.mover.known_state(&job.job, &leg.facts(execution))).await;
        looked.unwrap_or_else(|_| format!("The nodes could not be asked within {} s.", LOOK_LIMIT.as_secs()))
    }

    pub(crate) fn loss(&self, leg: &Leg, execution: &Execution) -> LossStatement {
        statement::loss(&Told::of(leg, execution), &self.history(leg))
    }

    /// Where the primary that a leg leaves was seen.
    fn history(&self, leg: &Leg) -> History {
        self.executor.positions.of(self.key.tenant.as_str(), leg.resource(), &leg.member.from_node)
    }

    /// How each resource came out: measured by the steps of its first move, looked at now.
    pub(crate) async fn outcomes(&self, execution: &Execution) -> Vec<MemberOutcome> {
        let confirmed = statement::confirmed_at(execution);
        let looked = self.resources().map(|first| async move {
            let leg = self.newest_leg(execution, first);
            let (markers, _) = markers_of(leg).await;
            let primaries: Vec<_> = markers.iter().filter(|marker| marker.role == "primary").collect();
            let follows = markers.iter().any(|marker| marker.role == "standby");
            let told = Told::of(first, execution);
            let lost = (self.request_type() == RequestType::Failover).then(|| self.history(first));
            let moved = leg.is_irreversible(execution, &[StepState::Succeeded]);
            MemberOutcome {
                resource: leg.resource().to_owned(),
                rto_measured: first.is_complete(execution).then(|| told.rto(confirmed)).flatten().map(duration_to_pb),
                write_outage: told.write_outage(lost.as_ref()).map(duration_to_pb),
                loss: moved.then(|| self.loss_of_all(execution, leg.resource())).flatten(),
                site: match primaries.as_slice() {
                    [primary] => primary.site.clone(),
                    _ => String::new(),
                },
                moved,
                protected: primaries.len() == 1 && follows,
            }
        });
        futures::future::join_all(looked).await
    }

    /// A live drill can lose on the way over and on the way back.
    fn loss_of_all(&self, execution: &Execution, resource: &str) -> Option<LossStatement> {
        let moved = |leg: &&Leg| leg.resource() == resource && leg.is_irreversible(execution, &[StepState::Succeeded]);
        let losses: Vec<LossStatement> = self.legs.iter().filter(moved).map(|leg| self.loss(leg, execution)).collect();
        match losses.as_slice() {
            [one] => Some(one.clone()),
            several => worst(several.iter().map(|loss| (resource, loss))),
        }
    }

    /// A group that was left in between can be gone on with, or taken back: both are new requests.
    fn ways_out(&self, members: &[MemberOutcome]) -> String {
        let group = &self.opened.group;
        if group.is_empty() {
            return String::new();
        }
        let where_now = |member: &MemberOutcome| match member.site.as_str() {
            "" => format!("{} at an unknown site", member.resource),
            site => format!("{} at {site}", member.resource),
        };
        let places = members.iter().map(where_now).collect::<Vec<_>>().join(", ");
        format!(
            " Now: {places}. To go on, request a switchover of group {group} to {}: what is there already is not moved. To go back, request one to {}.",
            self.opened.target_site, self.opened.from_site
        )
    }
}

/// Steps of the plan with an effect that nobody took back.
fn done_and_staying(execution: &Execution) -> Vec<&str> {
    let is_effect = |view: &&StepView| {
        let changes = view.step.as_ref().is_some_and(|step| step.definition.is_some() && step.changes_target);
        changes && view.state() == StepState::Succeeded
    };
    let drill = execution.view.started.as_ref().is_some_and(|started| started.r#type == "tabletop-drill");
    if drill {
        return Vec::new();
    }
    execution.view.steps.iter().filter(is_effect).map(muster_domain::execution::id_of).collect()
}
