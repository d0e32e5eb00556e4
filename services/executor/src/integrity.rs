//! Questions about the data: asked before and after each move on the node that accepts writes, and by a readiness drill on
//! the one that would take over.

use muster_domain::{
    execution::{self, Execution},
    pb::{
        execution::v1::{Check, CheckPhase, IntegrityResult},
        inventory::v1::{IntegrityCheck, resource_spec::Platform},
        request::v1::RequestType,
    },
};
use muster_platform::{
    Login,
    integrity::{self, Source},
};

use crate::{checks::list, error::RunError, job::Job, leg::Leg, reserve::reserves, run::Run};

/// What bounds such an answer, beside what `muster_platform::integrity` says of each question.
const LIMITS: &str = "Asked while the application may write: row counts may grow, and a checksum or a sum of what is written to differs without anything being wrong.";

impl Run<'_> {
    /// Nothing is recorded where nothing is asked. A drill that moves nothing asks elsewhere.
    pub(crate) async fn ask_integrity(&self, execution: &Execution, phase: CheckPhase) -> Result<(), RunError> {
        let known = execution.view.integrity.iter().any(|result| result.phase() == phase);
        if !reserves(self.request_type()) || known {
            return Ok(());
        }
        let asked = self.resources().map(|leg| self.ask_on_primary(leg, phase));
        let results: Vec<IntegrityResult> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        self.decide(|execution, me| execution::record_integrity(execution, me, phase, results.clone())).await?;
        Ok(())
    }

    async fn ask_on_primary(&self, leg: &Leg, phase: CheckPhase) -> Vec<IntegrityResult> {
        let (asked, Ok(job)) = (self.questions(leg), &leg.job) else { return Vec::new() };
        if asked.is_empty() {
            return Vec::new();
        }
        let login = data_login(job);
        match integrity::primary_node(&job.job.spec, login).await {
            Ok(node) => {
                let source = Source { spec: &job.job.spec, node: &node, login };
                integrity::ask(source, leg.resource(), &asked, phase, &job.job.now).await
            }
            Err(why) => asked.iter().map(|check| unasked(leg, check, phase, &why)).collect(),
        }
    }

    /// Of a readiness drill: whether the side that would take over can answer, and as expected. Recorded, and in words.
    pub(crate) async fn ask_on_standby(&self, leg: &Leg, phase: CheckPhase) -> Result<String, String> {
        let (asked, Ok(job)) = (self.questions(leg), &leg.job) else { return Ok(String::new()) };
        if asked.is_empty() {
            return Ok("; no questions about its data are declared".to_owned());
        }
        let node = leg.member.target_node.as_str();
        let source = Source { spec: &job.job.spec, node, login: data_login(job) };
        let results = integrity::ask(source, leg.resource(), &asked, phase, &job.job.now).await;
        let recorded = self.decide(|execution, me| execution::record_integrity(execution, me, phase, results.clone()));
        recorded.await.map_err(|error| error.to_string())?;
        let judged: Vec<Check> = asked
            .iter()
            .map(|check| integrity::judge_copy(check, results.iter().find(|result| result.name == check.name)))
            .collect();
        let bad = execution::blocking(&judged);
        if bad.is_empty() {
            return Ok(format!("; {} questions about its data answered on {node}", asked.len()));
        }
        Err(format!("the data on {node} is not as it must be: {}", list(&bad)))
    }

    /// Before against after, each resource by itself. Of a drill nothing was moved, so nothing is compared.
    pub(crate) fn compare_integrity(&self, execution: &Execution) -> Vec<Check> {
        if !reserves(self.request_type()) {
            return Vec::new();
        }
        // A lost primary could not be asked before, and what is missing since is the loss statement's matter: only an
        // answer that is fixed holds up a failover.
        let lost = self.request_type() == RequestType::Failover;
        let judged = self.resources().flat_map(|leg| {
            let resource = leg.resource().to_owned();
            let asked = self.questions(leg);
            let checks = integrity::judge_all(&asked, &resource, &execution.view.integrity);
            let of_checks = checks.into_iter().zip(asked).map(move |(check, asked)| Check {
                resource: resource.clone(),
                text: format!("{}. {LIMITS}", check.text),
                advisory: check.advisory || (lost && asked.expect.is_empty()),
                ..check
            });
            of_checks.collect::<Vec<_>>()
        });
        judged.collect()
    }

    pub(crate) fn questions(&self, leg: &Leg) -> Vec<IntegrityCheck> {
        let version = match leg.member.resource_version {
            0 => self.opened.resource_version,
            version => version,
        };
        let spec = self.documents.resource(leg.resource(), version);
        spec.map(|spec| spec.integrity.clone()).unwrap_or_default()
    }
}

fn unasked(leg: &Leg, check: &IntegrityCheck, phase: CheckPhase, why: &str) -> IntegrityResult {
    IntegrityResult {
        resource: leg.resource().to_owned(),
        name: check.name.clone(),
        phase: phase.into(),
        error: why.to_owned(),
        ..IntegrityResult::default()
    }
}

/// The execution account of the data itself. Patroni's own is that of its REST API.
pub(crate) fn data_login(job: &Job) -> &Login {
    match (&job.job.spec, &job.job.replication) {
        (Platform::Patroni(_), Some(database)) => database,
        _ => &job.job.execute,
    }
}
