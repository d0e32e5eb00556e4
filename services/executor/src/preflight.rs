//! A preflight: could this be run now? Every check of a run, made without claiming anything, and one verdict. Usable
//! before anybody approved; the run makes its checks again.

use std::collections::BTreeMap;

use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Reservation},
    pb::{
        common::v1::Marker,
        execution::v1::{
            Check, CheckOutcome, ExecutionStarted, PreflightChecked, PreflightEvent, PreflightReport, Verdict,
            preflight_event::Event,
        },
        plan::v1::{Lint, LintSeverity, PlanRef, PlanSpec, plan_spec},
        request::v1::{RequestOpened, RequestType},
    },
    plan::{self, Scope},
    preflight::Preflight,
    refusal::{describe, field_refusal},
    request::{self, Chosen, Request, effective_policy, type_name, type_of},
    time::to_pb,
};
use muster_proto::execution::v1::{PreflightRequest, PreflightResponse};
use muster_runtime::{Call, IntoStatus, Owner, refused};
use tonic::Status;

use crate::{
    Executor,
    checks::{failed, passed},
    documents::{Documents, Names},
    error::RunError,
    reserve::{id_of, names},
    run::{Run, markers_of},
    target::target,
    unfinished::RunKey,
};

/// Everything that people ask about before a run, in one report.
pub(crate) async fn make(executor: &Executor, call: Call<PreflightRequest>) -> Result<PreflightResponse, Status> {
    let (ask, call) = call.split();
    let mut meta = call.meta(&ask.idempotency_key)?;
    let id = AggregateId::from(meta.event_id);
    meta.correlation = meta.event_id;
    let known = executor.ctx.log.load::<Preflight>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?;
    if let Some(report) = known.state.report {
        return Ok(PreflightResponse { report: Some(report), version: known.sequence });
    }
    let kind = type_of(&ask.r#type).ok_or_else(|| refused(&unknown_type(&ask.r#type)))?;
    let key = RunKey { tenant: call.tenant.clone(), id: id.clone() };
    let (run, chosen) = Box::pin(prepared(executor, &key, kind, &ask)).await?;
    let mut report =
        Box::pin(report(run, kind, &chosen, call.now)).await.map_err(|error| Status::unavailable(error.to_string()))?;
    report.actor = Some(call.actor.clone());
    report.preflight_id = id.to_string();
    let event = PreflightEvent { event: Some(Event::Checked(PreflightChecked { report: Some(report.clone()) })) };
    let decided = executor
        .ctx
        .log
        .decide::<Preflight, Refusal>(&call.tenant, &id, &meta, |known| {
            Ok(known.report.is_none().then(|| event.clone()))
        })
        .await
        .map_err(IntoStatus::into_status)?;
    // Sent twice at once, the first one's answer holds.
    let report = decided.state.report.unwrap_or(report);
    Ok(PreflightResponse { report: Some(report), version: decided.sequence })
}

/// The run as it would be, with nothing behind it in the log, and why it goes where it goes.
async fn prepared<'a>(
    executor: &'a Executor,
    key: &'a RunKey,
    kind: RequestType,
    ask: &PreflightRequest,
) -> Result<(Run<'a>, Chosen), Status> {
    let ctx = &executor.ctx;
    let resources = if ask.resource.is_empty() { Vec::new() } else { vec![ask.resource.as_str()] };
    let about = Names { group: &ask.group, resources: resources.clone(), plan: None };
    let documents = Documents::load(ctx, &key.tenant, about).await.map_err(IntoStatus::into_status)?;
    let mut run = Run {
        executor,
        key,
        request: Request::default(),
        opened: RequestOpened {
            r#type: kind.into(),
            resource: ask.resource.clone(),
            group: ask.group.clone(),
            ..RequestOpened::default()
        },
        documents,
        legs: Vec::new(),
        only_looks: true,
    };
    let (reference, opened, chosen) = {
        let scope = run.documents.scope(&ask.group, &ask.resource).map_err(|refusal| refused(&refusal))?;
        let depends = ask.target_site.is_empty() && request::goes_to_the_other_side(kind);
        let seen = if depends { run.runs_at(&scope).await } else { BTreeMap::new() };
        let sites = request::sites(kind, &scope, &ask.target_site, &seen).map_err(|refusal| refused(&refusal))?;
        let reference = plan_for(executor, key, kind, &scope, &ask.plan).await?;
        let version = scope.members.first().map(|member| member.document.version).unwrap_or_default();
        let (tier, environment) = request::worst(&scope);
        let opened = RequestOpened {
            from_site: sites.from,
            target_site: sites.target,
            tier: tier.into(),
            environment: environment.into(),
            resource_version: version,
            ..run.opened.clone()
        };
        (reference, opened, sites.chosen)
    };
    let about = Names { group: &ask.group, resources, plan: reference.as_ref() };
    run.documents = Documents::load(ctx, &key.tenant, about).await.map_err(IntoStatus::into_status)?;
    let plan = run.documents.scope(&ask.group, &ask.resource).ok().map(|scope| run.documents.reference(&scope));
    run.opened = RequestOpened { plan, ..opened };
    Ok((run, chosen))
}

/// The published plan that is named, or the only one that fits. `None`: the built-in one.
async fn plan_for(
    executor: &Executor,
    key: &RunKey,
    kind: RequestType,
    scope: &Scope<'_>,
    named: &str,
) -> Result<Option<PlanRef>, Status> {
    let log = &executor.ctx.log;
    let published = async |name: &str| {
        let plan = log.published_plan(&key.tenant, name).await.map_err(IntoStatus::into_status)?;
        Ok::<_, Status>(plan.and_then(|plan| plan.life.published_ref().cloned().map(|reference| (plan, reference))))
    };
    if !named.is_empty() {
        return match published(named).await? {
            Some((_, reference)) => Ok(Some(reference)),
            None => Err(refused(&not_published(named))),
        };
    }
    executor.declared.caught_up().await;
    let declared: Vec<String> = executor.declared.read(&key.tenant, |inventory| {
        let fits = |spec: &PlanSpec| is_of(spec, scope) && plan::serves(spec, kind);
        let all = inventory.all(muster_domain::pb::inventory::v1::Kind::Plan);
        all.filter(|document| plan::spec_of(document).is_some_and(fits)).map(|document| document.name.clone()).collect()
    });
    let mut found = Vec::new();
    for name in declared {
        found.extend(published(&name).await?.map(|(_, reference)| reference));
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(refused(&field_refusal(
            "plan",
            "PLAN_AMBIGUOUS",
            format!("{} has several published plans of this type", scope.name()),
            found.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>().join(", "),
            "one of them",
            "name the plan that is meant",
        ))),
    }
}

fn is_of(spec: &PlanSpec, scope: &Scope<'_>) -> bool {
    match &spec.scope {
        Some(plan_spec::Scope::Group(group)) => scope.name() == format!("group {group}"),
        Some(plan_spec::Scope::Resource(resource)) => scope.name() == format!("resource {resource}"),
        None => false,
    }
}

async fn report(
    mut run: Run<'_>,
    kind: RequestType,
    chosen: &Chosen,
    now: jiff::Timestamp,
) -> Result<PreflightReport, RunError> {
    let compiled = run.compile().await?;
    let mut checks = vec![target(&run.opened, chosen), planned(&compiled.trouble, compiled.steps.len())];
    checks.extend(free(&run, kind, now).await?);
    checks.extend(run.neighbours(kind).await?);
    let started = ExecutionStarted {
        r#type: type_name(kind).to_owned(),
        resource: run.opened.resource.clone(),
        steps: compiled.steps,
        members: compiled.members,
        ..ExecutionStarted::default()
    };
    run.prepare(&started);
    checks.extend(run.of_members().await);
    let mut markers: Vec<Marker> = Vec::new();
    for (found, _) in futures::future::join_all(run.resources().map(markers_of)).await {
        markers.extend(found);
    }
    let findings = findings(&run);
    Ok(PreflightReport {
        preflight_id: String::new(),
        r#type: type_name(kind).to_owned(),
        resource: run.opened.resource.clone(),
        group: run.opened.group.clone(),
        target_site: run.opened.target_site.clone(),
        plan: run.opened.plan.clone(),
        verdict: verdict(&checks, &findings).into(),
        checks,
        markers,
        findings,
        checked_at: Some(to_pb(run.executor.ctx.clock.now())),
        actor: None,
    })
}

fn planned(trouble: &str, steps: usize) -> Check {
    if trouble.is_empty() {
        return passed("steps_are_planned", format!("{steps} steps"), "at least one", "the run would have these steps");
    }
    failed("steps_are_planned", "none", "at least one", trouble.to_owned())
}

/// Looks who holds what, and takes nothing.
async fn free(run: &Run<'_>, kind: RequestType, now: jiff::Timestamp) -> Result<Vec<Check>, RunError> {
    let scope = run.documents.scope(&run.opened.group, &run.opened.resource);
    let resources: Vec<String> =
        scope.iter().flat_map(|scope| &scope.members).map(|member| member.document.name.clone()).collect();
    let mut checks = Vec::new();
    for name in names(kind, &run.opened.group, resources.iter().map(String::as_str)) {
        let held = run.executor.ctx.log.load::<Reservation>(&run.key.tenant, &id_of(&name)?).await?.state;
        let check = match execution::reserve(&held, &name, run.key.id.as_str(), now) {
            Ok(_) => passed("resource_is_free", &name, "no other run", "no other run holds it"),
            Err(refusal) => failed("resource_is_free", refusal.value.clone(), "no other run", describe(&refusal)),
        };
        checks.push(Check { resource: name, ..check });
    }
    Ok(checks)
}

/// What the linter says of a written plan, as things are declared now.
fn findings(run: &Run<'_>) -> Vec<Lint> {
    let Some((_, spec)) = run.documents.plan() else { return Vec::new() };
    let commands = run.executor.ctx.config.executor.commands.keys().cloned().collect();
    let tenant = &run.key.tenant;
    let secrets = &run.executor.ctx.secrets;
    run.executor.declared.read(tenant, |inventory| {
        let policies: Vec<_> = inventory.policies().map(|(document, _)| document).collect();
        plan::lint(
            spec,
            &plan::Surroundings {
                inventory,
                policy: &|tier, environment, kind| effective_policy(&policies, tier, environment, kind).policy,
                commands: Some(&commands),
                secret_resolves: &|reference| Some(secrets.resolve(Owner::Tenant(tenant), reference).is_ok()),
            },
        )
    })
}

fn verdict(checks: &[Check], findings: &[Lint]) -> Verdict {
    let bad = |severity: LintSeverity| findings.iter().any(|finding| finding.severity() == severity);
    if !execution::blocking(checks).is_empty() || bad(LintSeverity::Error) {
        return Verdict::NoGo;
    }
    let all_good = checks.iter().all(|check| check.outcome() == CheckOutcome::Passed);
    if all_good && !bad(LintSeverity::Warning) { Verdict::Go } else { Verdict::Caution }
}

fn unknown_type(found: &str) -> Refusal {
    field_refusal(
        "type",
        "FIELD_INVALID",
        "a preflight is of one type of run",
        found.chars().take(80).collect::<String>(),
        request::TYPES.map(type_name).join(", "),
        "name one of them",
    )
}

fn not_published(named: &str) -> Refusal {
    field_refusal(
        "plan",
        "PLAN_NOT_PUBLISHED",
        "runs use plans that were published by a second person",
        named.chars().take(80).collect::<String>(),
        "a published plan of this tenant",
        "submit it and have it published, or leave the plan out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_check_is_no_go_one_warning_is_caution_and_nothing_is_better_than_it_is() {
        let with =
            |outcome: CheckOutcome, advisory: bool| Check { outcome: outcome.into(), advisory, ..Check::default() };
        let good = with(CheckOutcome::Passed, false);
        assert_eq!(verdict(std::slice::from_ref(&good), &[]), Verdict::Go);
        assert_eq!(verdict(&[good.clone(), with(CheckOutcome::Warning, false)], &[]), Verdict::Caution);
        assert_eq!(verdict(&[good.clone(), with(CheckOutcome::Unknown, true)], &[]), Verdict::Caution);
        assert_eq!(verdict(&[good.clone(), with(CheckOutcome::Unknown, false)], &[]), Verdict::NoGo);
        let lint = |severity: LintSeverity| Lint { severity: severity.into(), ..Lint::default() };
        assert_eq!(verdict(std::slice::from_ref(&good), &[lint(LintSeverity::Warning)]), Verdict::Caution);
        assert_eq!(verdict(&[good], &[lint(LintSeverity::Error)]), Verdict::NoGo);
    }
}
