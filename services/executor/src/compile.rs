//! From what people approved to the steps of one run: members with their two sides, and the graph of everything to do.

use muster_domain::{
    pb::{
        common::v1::Marker,
        execution::v1::{Member, Step},
        inventory::v1::ResourceSpec,
        plan::v1::PlanSpec,
        request::v1::RequestType,
    },
    plan::{self, PlannedStep, Scope},
    refusal::describe,
    request,
    time::PbDuration,
};

use crate::{
    error::RunError,
    inner,
    job::sides,
    leg::{Course, Leg, turned},
    run::{LOOK_LIMIT, Run, markers_of},
    steps::{self, Platforms},
};

/// What a run begins with.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// Empty: no plan could be made; [`Compiled::trouble`] says why.
    pub steps: Vec<Step>,
    pub members: Vec<Member>,
    pub rto: Option<PbDuration>,
    pub rpo: Option<PbDuration>,
    pub drill: bool,
    pub trouble: String,
}

impl Run<'_> {
    /// Never fails for what is declared: then there are no steps, and a reason. The errors are the log's.
    pub(crate) async fn compile(&self) -> Result<Compiled, RunError> {
        let drill = matches!(
            self.request_type(),
            RequestType::ReadinessDrill
                | RequestType::IsolatedDrill
                | RequestType::TabletopDrill
                | RequestType::LiveDrill
        );
        let scope = match self.documents.scope(&self.opened.group, &self.opened.resource) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(Compiled { drill, trouble: describe(&refusal), ..Compiled::default() }),
        };
        let spec = self.spec(&scope);
        let mut compiled = Compiled {
            members: self.members(&scope),
            rto: spec.rto.or_else(|| scope.members.first().and_then(|member| member.spec.rto)),
            rpo: spec.rpo.or_else(|| scope.members.first().and_then(|member| member.spec.rpo)),
            drill,
            ..Compiled::default()
        };
        match self.graph(&scope, &spec, &mut compiled.members).await? {
            Ok(steps) => compiled.steps = steps,
            Err(trouble) => compiled.trouble = trouble,
        }
        Ok(compiled)
    }

    /// The plan that was approved, or the built-in one.
    pub(crate) fn spec(&self, scope: &Scope<'_>) -> PlanSpec {
        match self.documents.plan() {
            Some((_, spec)) => spec.clone(),
            None => plan::built_in(scope, self.request_type()),
        }
    }

    fn members(&self, scope: &Scope<'_>) -> Vec<Member> {
        scope
            .members
            .iter()
            .map(|member| self.member(&member.document.name, member.document.version, member.spec))
            .collect()
    }

    pub(crate) fn member(&self, resource: &str, version: u64, spec: &ResourceSpec) -> Member {
        let (from_site, target_site) = (self.opened.from_site.clone(), self.opened.target_site.clone());
        let sides = sides(&from_site, &target_site, spec).ok();
        let (from_node, target_node) = sides.map(|sides| (sides.from, sides.target)).unwrap_or_default();
        Member {
            resource: resource.to_owned(),
            resource_version: version,
            from_site,
            target_site,
            from_node,
            target_node,
            tier: spec.tier,
            environment: spec.environment,
            rto_target: spec.rto,
            rpo_target: spec.rpo,
            platform: spec.platform.as_ref().map(platform_name).unwrap_or_default(),
            there_already: false,
        }
    }

    async fn graph(
        &self,
        scope: &Scope<'_>,
        spec: &PlanSpec,
        members: &mut [Member],
    ) -> Result<Result<Vec<Step>, String>, RunError> {
        let request_type = self.request_type();
        match request_type {
            RequestType::TabletopDrill => {
                Ok(self.unfolded(scope, spec, request_type).map(|steps| steps::talked_through(&steps)))
            }
            RequestType::ReadinessDrill => {
                Ok(Ok(members.iter().map(|member| steps::own(inner::Kind::Look, member)).collect()))
            }
            RequestType::IsolatedDrill => Ok(steps::copies(scope, members)),
            RequestType::Rollback => self.rollback(members).await,
            RequestType::Unspecified => Ok(Err("the request says no type that an executor knows".to_owned())),
            _ => {
                let mut legs = match self.legs_of(members) {
                    Ok(legs) => legs,
                    Err(trouble) => return Ok(Err(trouble)),
                };
                if !self.opened.group.is_empty() && self.is_proven().await? {
                    mark_those_that_are_there(&legs, members).await;
                }
                if request_type == RequestType::Failback && self.is_proven().await? {
                    mark_those_that_return_first(&mut legs, members).await;
                }
                Ok(self.moves_of(scope, spec, &legs, members))
            }
        }
    }

    fn unfolded(&self, scope: &Scope<'_>, spec: &PlanSpec, kind: RequestType) -> Result<Vec<PlannedStep>, String> {
        let direction = plan::direction(spec, &self.opened.target_site).map_err(|refusal| describe(&refusal))?;
        plan::unfold(spec, kind, direction, scope).map_err(|refusal| describe(&refusal))
    }

    fn legs_of(&self, members: &[Member]) -> Result<Vec<Leg>, String> {
        let kind = request::type_name(self.request_type());
        let leg = |member: &Member| {
            let course = Course { id: format!("move-{}", member.resource), member: member.clone() };
            let leg = self.leg(course, kind);
            match &leg.job {
                Ok(_) => Ok(leg),
                Err(error) if self.opened.group.is_empty() => Err(error.to_string()),
                Err(error) => Err(format!("{}: {error}", member.resource)),
            }
        };
        members.iter().map(leg).collect()
    }

    fn moves_of(
        &self,
        scope: &Scope<'_>,
        spec: &PlanSpec,
        legs: &[Leg],
        members: &[Member],
    ) -> Result<Vec<Step>, String> {
        let request_type = self.request_type();
        let planned = self.unfolded(scope, spec, request_type)?;
        let over = Platforms::of(legs.iter(), members);
        if request_type != RequestType::LiveDrill {
            let bare = self.opened.group.is_empty() && self.documents.plan().is_none();
            let steps = if bare { steps::bare(&planned, &over) } else { steps::expanded(&planned, "", &over, &[]) };
            return if steps.is_empty() { Err(NOTHING_TO_DO.to_owned()) } else { Ok(steps) };
        }
        let mut steps = steps::expanded(&planned, "", &over, &[]);
        let moved: Vec<&Member> = members.iter().filter(|member| !member.there_already).collect();
        let over_ends = steps::ends(&steps);
        for member in &moved {
            steps.push(Step { after: over_ends.clone(), ..steps::own(inner::Kind::Prove, member) });
        }
        let proven: Vec<String> = moved.iter().map(|member| inner::Kind::Prove.id(&member.resource)).collect();
        let back_members: Vec<Member> = moved.iter().map(|member| turned(member)).collect();
        let back_legs = self.legs_of(&back_members)?;
        let back = Platforms::of(back_legs.iter(), &back_members);
        let way_back = match plan::direction(spec, &self.opened.target_site) {
            Ok(plan::Direction::AsWritten) => plan::Direction::Reversed,
            _ => plan::Direction::AsWritten,
        };
        let returned =
            plan::unfold(spec, RequestType::LiveDrill, way_back, scope).map_err(|refusal| describe(&refusal))?;
        steps.extend(steps::expanded(&returned, steps::WAY_BACK, &back, &proven));
        Ok(steps)
    }
}

/// Members of a group that run at the target already are not moved.
async fn mark_those_that_are_there(legs: &[Leg], members: &mut [Member]) {
    let found = futures::future::join_all(legs.iter().map(markers_of)).await;
    for (member, (markers, _)) in members.iter_mut().zip(found) {
        member.there_already = is_there(member, &markers);
    }
}

/// The old primary of a failover has no place any more: where its platform can bring it back, a failback begins with that.
async fn mark_those_that_return_first(legs: &mut [Leg], members: &[Member]) {
    let moved = legs.iter_mut().zip(members).filter(|(_, member)| !member.there_already);
    let looked = moved.map(|(leg, _)| async move {
        let Ok(job) = &leg.job else { return };
        let can = !job.mover.way_home(&job.job).is_empty();
        let follows = tokio::time::timeout(LOOK_LIMIT, job.mover.follows(&job.job)).await;
        // No answer in time: the ordinary prechecks say what is wrong.
        leg.returns_first = can && follows == Ok(false);
    });
    futures::future::join_all(looked).await;
}

const NOTHING_TO_DO: &str = "every member runs at the target already, and the plan has nothing else to do";

/// Its target node is the one primary: the other one is a standby, or gone.
pub(crate) fn is_there(member: &Member, markers: &[Marker]) -> bool {
    let role = |node: &str| markers.iter().find(|marker| marker.node == node).map(|marker| marker.role.as_str());
    role(&member.target_node) == Some("primary") && role(&member.from_node) != Some("primary")
}

fn platform_name(platform: &muster_domain::pb::inventory::v1::resource_spec::Platform) -> String {
    muster_domain::inventory::platform::platform_name(platform).to_owned()
}
