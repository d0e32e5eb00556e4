//! Everything that a document says, as data. Absent values are said to be absent, never left out.

use jiff::Timestamp;
use muster_domain::inventory::platform::{nodes, platform_name};
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::resource_spec::Platform;
use muster_domain::pb::plan::v1::{LintSeverity, PlanSpec, PlanState, PlanView, ProofState, plan_spec};
use muster_domain::pb::readiness::v1::Status;
use muster_domain::plan::{Member, Scope};
use muster_domain::readiness::Readiness;
use muster_domain::time::{PbDuration, PbTimestamp, duration_from_pb, from_pb, humane};
use serde::Serialize;

use super::{
    by_hand::{ByHand, by_hand},
    step::StepPage,
};

/// A document's content.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Book {
    pub(crate) tenant: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) owner: String,
    pub(crate) notes: Vec<String>,
    pub(crate) version: u64,
    /// Empty: what it moves cannot be resolved.
    pub(crate) hash: String,
    pub(crate) state: &'static str,
    pub(crate) published: String,
    pub(crate) proof: &'static str,
    pub(crate) proof_text: String,
    pub(crate) made_at: String,
    pub(crate) scope: String,
    pub(crate) from_site: String,
    pub(crate) to_site: String,
    pub(crate) types: Vec<String>,
    pub(crate) rto: String,
    pub(crate) rpo: String,
    pub(crate) critical_path: String,
    pub(crate) contacts: Vec<ContactLine>,
    pub(crate) members: Vec<MemberPage>,
    pub(crate) phases: Vec<PhasePage>,
    pub(crate) findings: Vec<FindingLine>,
    pub(crate) tests: Vec<TestLine>,
    /// Name and version of each document it was made from.
    pub(crate) documents: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ContactLine {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) reach: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MemberPage {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) tier: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) owner: String,
    pub(crate) platform: &'static str,
    pub(crate) rto: String,
    pub(crate) rpo: String,
    pub(crate) depends_on: Vec<String>,
    pub(crate) nodes: Vec<NodeLine>,
    pub(crate) status: &'static str,
    pub(crate) reasons: Vec<String>,
    pub(crate) seen_at: String,
    pub(crate) by_hand: Option<ByHand>,
    pub(crate) back_by_hand: Option<ByHand>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct NodeLine {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) address: String,
    pub(crate) agent: String,
    pub(crate) api_url: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PhasePage {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) steps: Vec<StepPage>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct FindingLine {
    pub(crate) severity: &'static str,
    pub(crate) code: String,
    pub(crate) step: String,
    pub(crate) text: String,
    pub(crate) next_action: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct TestLine {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) version: u64,
    pub(crate) outcome: String,
    pub(crate) request_id: String,
}

impl Book {
    /// `readiness`: of each member of the scope, in its order.
    pub(crate) fn new(
        view: &PlanView,
        scope: Option<&Scope<'_>>,
        readiness: &[Readiness],
        critical_path: String,
        now: Timestamp,
    ) -> Self {
        let empty = PlanSpec::default();
        let spec = view.spec.as_ref().unwrap_or(&empty);
        let newest = view.newest.clone().unwrap_or_default();
        let members = scope.iter().flat_map(|scope| &scope.members);
        Self {
            tenant: view.tenant.clone(),
            name: view.name.clone(),
            title: if spec.display_name.is_empty() { view.name.clone() } else { spec.display_name.clone() },
            description: spec.description.clone(),
            owner: spec.owner.clone(),
            notes: spec.notes.lines().map(str::to_owned).collect(),
            version: newest.version,
            hash: newest.hash,
            state: state(view.state()),
            published: view.published.as_ref().map(|plan| format!("version {}", plan.version)).unwrap_or_default(),
            proof: proof(view.proof()),
            proof_text: view.proof_text.clone(),
            made_at: shown(now),
            scope: scope_name(spec),
            from_site: spec.from_site.clone(),
            to_site: spec.to_site.clone(),
            types: spec.types.clone(),
            rto: length(spec.rto.as_ref()),
            rpo: length(spec.rpo.as_ref()),
            critical_path,
            contacts: contacts(spec),
            members: members
                .enumerate()
                .map(|(index, member)| MemberPage::new(member, readiness.get(index), spec))
                .collect(),
            phases: spec
                .phases
                .iter()
                .map(|phase| PhasePage {
                    name: phase.name.clone(),
                    title: if phase.title.is_empty() { phase.name.clone() } else { phase.title.clone() },
                    steps: phase.steps.iter().map(StepPage::new).collect(),
                })
                .collect(),
            findings: findings(view),
            tests: tests(view),
            documents: documents(view, newest.version, scope),
        }
    }
}

impl MemberPage {
    fn new(member: &Member<'_>, readiness: Option<&Readiness>, plan: &PlanSpec) -> Self {
        let spec = member.spec;
        let assessment = readiness.and_then(|readiness| readiness.assessment.as_ref());
        let reasons = assessment.map(|a| a.reasons.iter().map(|reason| reason.text.clone()).collect());
        Self {
            name: member.document.name.clone(),
            version: member.document.version,
            tier: tier(spec.tier()),
            environment: environment(spec.environment()),
            owner: spec.owner.clone(),
            platform: spec.platform.as_ref().map_or("unknown", platform_name),
            rto: length(spec.rto.as_ref()),
            rpo: length(spec.rpo.as_ref()),
            depends_on: member.depends_on.iter().map(|name| (*name).to_owned()).collect(),
            nodes: spec.platform.as_ref().map(node_lines).unwrap_or_default(),
            status: status(readiness.and_then(|readiness| readiness.status)),
            reasons: reasons.unwrap_or_default(),
            seen_at: time(assessment.and_then(|assessment| assessment.observed_at.as_ref())),
            by_hand: by_hand(spec, &plan.from_site, &plan.to_site),
            back_by_hand: by_hand(spec, &plan.to_site, &plan.from_site),
        }
    }
}

fn node_lines(platform: &Platform) -> Vec<NodeLine> {
    let api_url = |name: &str| match platform {
        Platform::Patroni(target) => {
            target.nodes.iter().find(|node| node.name == name).map(|node| node.api_url.clone())
        }
        _ => None,
    };
    let lines = nodes(platform).into_iter().map(|node| NodeLine {
        name: node.name.to_owned(),
        site: node.site.to_owned(),
        address: format!("{}:{}", node.host, node.port),
        agent: node.agent.to_owned(),
        api_url: api_url(node.name).unwrap_or_default(),
    });
    lines.collect()
}

fn contacts(spec: &PlanSpec) -> Vec<ContactLine> {
    let line = |c: &muster_domain::pb::plan::v1::Contact| ContactLine {
        name: c.name.clone(),
        role: c.role.clone(),
        reach: c.reach.clone(),
    };
    spec.contacts.iter().map(line).collect()
}

fn findings(view: &PlanView) -> Vec<FindingLine> {
    let line = |lint: &muster_domain::pb::plan::v1::Lint| FindingLine {
        severity: severity(lint.severity()),
        code: lint.code.clone(),
        step: lint.step.clone(),
        text: lint.text.clone(),
        next_action: lint.next_action.clone(),
    };
    view.findings.iter().map(line).collect()
}

fn tests(view: &PlanView) -> Vec<TestLine> {
    let line = |test: &muster_domain::pb::plan::v1::PlanTest| TestLine {
        at: time(test.at.as_ref()),
        kind: test.r#type.clone(),
        version: test.plan.as_ref().map_or(0, |plan| plan.version),
        outcome: match (test.passed, test.rto_measured.as_ref()) {
            (false, _) => format!("failed: {}", test.reason),
            (true, None) => "passed, time not measured".to_owned(),
            (true, measured) => {
                let within = if test.rto_met { "within the objective" } else { "longer than the objective" };
                format!("passed in {}, {within}", length(measured))
            }
        },
        request_id: test.request_id.clone(),
    };
    view.tests.iter().map(line).collect()
}

fn documents(view: &PlanView, version: u64, scope: Option<&Scope<'_>>) -> Vec<String> {
    let mut documents = vec![format!("plan {} version {version}", view.name)];
    if let Some(scope) = scope {
        documents
            .extend(scope.group.iter().map(|(group, _)| format!("group {} version {}", group.name, group.version)));
        let members = scope.members.iter().map(|member| member.document);
        documents.extend(members.map(|document| format!("resource {} version {}", document.name, document.version)));
    }
    documents
}

fn scope_name(spec: &PlanSpec) -> String {
    match &spec.scope {
        Some(plan_spec::Scope::Group(name)) => format!("group {name}"),
        Some(plan_spec::Scope::Resource(name)) => format!("resource {name}"),
        None => "nothing".to_owned(),
    }
}

fn length(value: Option<&PbDuration>) -> String {
    duration_from_pb(value).map_or_else(|| "not set".to_owned(), humane)
}

fn time(at: Option<&PbTimestamp>) -> String {
    from_pb(at).map_or_else(|| "never".to_owned(), shown)
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) fn state(state: PlanState) -> &'static str {
    match state {
        PlanState::Draft => "draft",
        PlanState::InReview => "in review",
        PlanState::Published => "published",
        PlanState::Unspecified => "unknown",
    }
}

pub(super) fn proof(proof: ProofState) -> &'static str {
    match proof {
        ProofState::Untested => "not proven",
        ProofState::Proven => "proven",
        ProofState::Stale => "proven too long ago",
        ProofState::Failed => "the last test failed",
        ProofState::Unspecified => "unknown",
    }
}

fn severity(severity: LintSeverity) -> &'static str {
    match severity {
        LintSeverity::Error => "error",
        LintSeverity::Warning => "warning",
        LintSeverity::Info => "note",
        LintSeverity::Unspecified => "unknown",
    }
}

fn status(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Green) => "green",
        Some(Status::Yellow) => "yellow",
        Some(Status::Red) => "red",
        Some(Status::Unknown | Status::Unspecified) | None => "unknown",
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Tier1 => "1",
        Tier::Tier2 => "2",
        Tier::Tier3 => "3",
        Tier::Unspecified => "unknown",
    }
}

fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Staging => "staging",
        Environment::Test => "test",
        Environment::Development => "development",
        Environment::Unspecified => "unknown",
    }
}
