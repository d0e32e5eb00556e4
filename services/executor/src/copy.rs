//! The steps of an isolated drill: a copy is made apart from production, asked, measured and removed, and that nothing is
//! left is looked for. Whatever became of the others, the removal is done.

use std::path::PathBuf;

use muster_domain::{
    execution::{self, Execution, Facts},
    pb::{
        execution::v1::{Check, CheckPhase},
        inventory::v1::{ResourceSpec, isolated_drill::Source, resource_spec::Platform},
    },
    time::duration_from_pb,
};
use muster_platform::{
    Probe, StepDone, StepError,
    backup::{BackupTool, Repository},
    drill::{self, CopySource, DrillHost, DrillJob, DrillLimits},
};
use muster_runtime::{Owner, config};

use crate::{
    checks::{failed, list},
    error::RunError,
    inner::{CopyStep, Kind},
    leg::Leg,
    run::{Run, in_time},
};

impl Run<'_> {
    pub(crate) async fn before_copies(&self) -> Vec<Check> {
        let looked = self.resources().map(|leg| async move {
            let found = match self.drill_job(leg) {
                Ok(job) => in_time(drill::prechecks(&job)).await,
                Err(why) => vec![failed("drill_is_possible", "no", "yes", why)],
            };
            found.into_iter().map(|check| Check { resource: leg.resource().to_owned(), ..check }).collect::<Vec<_>>()
        });
        futures::future::join_all(looked).await.into_iter().flatten().collect()
    }

    pub(crate) async fn probe_copy(&self, copy: CopyStep, leg: &Leg) -> Probe {
        let job = match self.drill_job(leg) {
            Ok(job) => job,
            Err(why) => return Probe::Unknown(why),
        };
        match name_of(copy) {
            Some(step) => drill::probe(&job, step).await,
            // Looking is all it does.
            None => Probe::NotDone,
        }
    }

    pub(crate) async fn copy(&self, copy: CopyStep, leg: &Leg, facts: &Facts) -> Result<StepDone, StepError> {
        let job = self.drill_job(leg).map_err(StepError::refused)?;
        match copy {
            CopyStep::Query => self.query_copy(&job).await,
            CopyStep::Verify => self.verify_removed(&job, facts).await,
            CopyStep::Make => drill::run(&job, drill::COPY).await,
            CopyStep::Start => drill::run(&job, drill::START).await,
            CopyStep::Remove => drill::run(&job, drill::REMOVE).await,
        }
    }

    /// The answers are recorded before they are judged: a copy that says something else is what the drill is for.
    async fn query_copy(&self, job: &DrillJob) -> Result<StepDone, StepError> {
        let found = drill::inspect(job).await?;
        let record = |execution: &Execution, me: &str| {
            execution::record_integrity(execution, me, CheckPhase::After, found.answers.clone())
        };
        self.decide(record).await.map_err(|error| StepError::unknown(error.to_string()))?;
        let bad = execution::blocking(&found.checks);
        if !bad.is_empty() {
            return Err(StepError::failed(format!("{}; not as it must be: {}", found.note(), list(&bad))));
        }
        Ok(StepDone { note: found.note(), outputs: found.outputs() })
    }

    async fn verify_removed(&self, job: &DrillJob, facts: &Facts) -> Result<StepDone, StepError> {
        let teardown = self.record_teardown(job, facts).await.map_err(|error| StepError::unknown(error.to_string()))?;
        let bad = execution::blocking(&teardown);
        if !bad.is_empty() {
            return Err(StepError::failed(format!("something is left: {}", list(&bad))));
        }
        Ok(StepDone { note: format!("nothing is left: {} looks", teardown.len()), outputs: Facts::new() })
    }

    async fn record_teardown(&self, job: &DrillJob, facts: &Facts) -> Result<Vec<Check>, RunError> {
        let teardown = drill::verify_removed(job).await;
        let copy = drill::copy_of(&job.resource, facts, teardown.clone());
        self.decide(|execution, me| execution::record_copy(execution, me, copy.clone())).await?;
        Ok(teardown)
    }

    /// After an early end: every copy that was begun is removed, and what is left of it is said.
    pub(crate) async fn remove_copies(&self, execution: &Execution) -> Result<String, RunError> {
        let mut account = String::new();
        for leg in self.resources() {
            let begun = execution.view.steps.iter().any(|view| {
                let of_it = |step: &muster_domain::pb::execution::v1::Step| {
                    step.resource == leg.resource() && matches!(Kind::of(step), Some(Kind::Copy(_)))
                };
                view.attempts > 0 && view.step.as_ref().is_some_and(of_it)
            });
            if !begun {
                continue;
            }
            let name = leg.resource();
            let job = match self.drill_job(leg) {
                Ok(job) => job,
                Err(why) => {
                    account.push_str(&format!(" The copy of {name} was not removed: {why}."));
                    continue;
                }
            };
            let removed = drill::remove(&job).await;
            let facts = execution.facts_of(&format!("copy:{name}"));
            let teardown = self.record_teardown(&job, &facts).await?;
            let bad = execution::blocking(&teardown);
            match (removed, bad.is_empty()) {
                (Ok(_), true) => {
                    account.push_str(&format!(" The copy of {name} was removed, and nothing of it is left."))
                }
                (Err(error), _) => account.push_str(&format!(" The copy of {name} was not removed: {error}.")),
                (Ok(_), false) => account.push_str(&format!(" Of the copy of {name} is left: {}.", list(&bad))),
            }
        }
        Ok(account)
    }

    fn drill_job(&self, leg: &Leg) -> Result<DrillJob, String> {
        let spec =
            self.documents.resource(leg.resource(), leg.member.resource_version).map_err(|error| error.to_string())?;
        let Some(Platform::Postgresql(target)) = &spec.platform else {
            return Err("isolated drills are made of PostgreSQL resources".to_owned());
        };
        let (agent_name, agent) = self.drill_agent(spec)?;
        let job = leg.job.as_ref().map_err(ToString::to_string)?;
        let clock = self.executor.ctx.clock.clone();
        let agents = &self.executor.ctx.config.executor.agents;
        Ok(DrillJob {
            request: self.key.id.to_string(),
            resource: leg.resource().to_owned(),
            spec: target.clone(),
            source: self.copy_source(spec, agent_name, agent)?,
            host: DrillHost {
                drill_directory: agent.drill_directory.clone().ok_or_else(|| {
                    format!(
                        "agent '{agent_name}' has no drill_directory: add executor.agents.{agent_name}.drill_directory"
                    )
                })?,
                bin_directory: agent.bin_directory.clone(),
                root_certificate: None,
                data_directories: agents.values().map(|agent| agent.data_directory.clone()).collect::<Vec<PathBuf>>(),
            },
            execute: job.job.execute.clone(),
            replication: job.job.replication.clone(),
            integrity: spec.integrity.clone(),
            limits: DrillLimits::default(),
            now: std::sync::Arc::new(move || clock.now()),
        })
    }

    fn drill_agent<'s>(&'s self, spec: &'s ResourceSpec) -> Result<(&'s str, &'s config::Agent), String> {
        let declared = spec.isolated_drill.as_ref().ok_or("the manifest has no isolatedDrill: add it")?;
        let agents = &self.executor.ctx.config.executor.agents;
        // An agent of another tenant is as unknown as one that is not there.
        let agent = agents.get(&declared.agent).filter(|agent| agent.tenant == self.key.tenant.as_str());
        let agent = agent.ok_or_else(|| {
            format!(
                "the drill's host agent '{}' is not configured for this tenant: add it to executor.agents",
                declared.agent
            )
        })?;
        Ok((&declared.agent, agent))
    }

    fn copy_source(&self, spec: &ResourceSpec, name: &str, agent: &config::Agent) -> Result<CopySource, String> {
        match spec.isolated_drill.as_ref().and_then(|declared| declared.source.as_ref()) {
            Some(Source::Standby(_)) => Ok(CopySource::Standby),
            Some(Source::Backup(backup)) => {
                let repository = agent.backups.get(&backup.repository).ok_or_else(|| {
                    format!(
                        "agent '{name}' has no backup repository '{}': add executor.agents.{name}.backups",
                        backup.repository
                    )
                })?;
                let max_age = duration_from_pb(backup.max_age.as_ref());
                Ok(CopySource::Backup { repository: self.repository(repository)?, max_age })
            }
            None => Err("the manifest's isolatedDrill names no source: add standby or backup".to_owned()),
        }
    }

    fn repository(&self, configured: &config::BackupRepository) -> Result<Repository, String> {
        let resolve = |reference: &String| {
            let secrets = &self.executor.ctx.secrets;
            secrets.resolve(Owner::Tenant(&self.key.tenant), reference).map_err(|error| error.to_string())
        };
        Ok(Repository {
            tool: match configured.tool {
                config::BackupTool::Pgbackrest => BackupTool::Pgbackrest,
                config::BackupTool::Restic => BackupTool::Restic,
            },
            program: configured.program.clone(),
            config_file: configured.config_file.clone(),
            stanza: configured.stanza.clone(),
            repository: configured.repository.clone(),
            password: configured.password_ref.as_ref().map(resolve).transpose()?,
            host: configured.host.clone(),
            path: configured.path.clone(),
        })
    }
}

/// As the platform's drill calls it. The last look has no name of its own there.
fn name_of(copy: CopyStep) -> Option<&'static str> {
    match copy {
        CopyStep::Make => Some(drill::COPY),
        CopyStep::Start => Some(drill::START),
        CopyStep::Query => Some(drill::INSPECT),
        CopyStep::Remove => Some(drill::REMOVE),
        CopyStep::Verify => None,
    }
}
