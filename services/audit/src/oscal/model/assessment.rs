//! What assessment plan, assessment results and POA&M share.

use serde::Serialize;

use super::{Component, Link, Part, Prop, ResponsibleParty, ResponsibleRole};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReviewedControls {
    pub(crate) control_selections: Vec<ControlSelection>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) control_objective_selections: Vec<ObjectiveSelection>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ControlSelection {
    pub(crate) include_controls: Vec<ControlId>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ControlId {
    pub(crate) control_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ObjectiveSelection {
    pub(crate) include_objectives: Vec<ObjectiveId>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ObjectiveId {
    pub(crate) objective_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssessmentAssets {
    pub(crate) components: Vec<Component>,
    pub(crate) assessment_platforms: Vec<AssessmentPlatform>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssessmentPlatform {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) uses_components: Vec<ComponentRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ComponentRef {
    pub(crate) component_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SubjectSelection {
    pub(crate) r#type: &'static str,
    pub(crate) include_subjects: Vec<SubjectRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SubjectRef {
    pub(crate) subject_uuid: String,
    pub(crate) r#type: &'static str,
}

impl SubjectRef {
    pub(crate) fn component(uuid: String) -> Self {
        Self { subject_uuid: uuid, r#type: "component" }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Activity {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) props: Vec<Prop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<ActivityStep>,
    pub(crate) related_controls: ReviewedControls,
    pub(crate) responsible_roles: Vec<ResponsibleRole>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ActivityStep {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Task {
    pub(crate) uuid: String,
    pub(crate) r#type: &'static str,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timing: Option<Timing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dependencies: Vec<TaskRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) associated_activities: Vec<AssociatedActivity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) responsible_roles: Vec<ResponsibleRole>,
}

/// OSCAL knows seconds to years and no weeks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Timing {
    AtFrequency { period: u32, unit: &'static str },
    WithinDateRange { start: String, end: String },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TaskRef {
    pub(crate) task_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssociatedActivity {
    pub(crate) activity_uuid: String,
    pub(crate) subjects: Vec<SubjectSelection>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Origin {
    pub(crate) actors: Vec<OriginActor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_tasks: Vec<TaskRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OriginActor {
    pub(crate) r#type: &'static str,
    pub(crate) actor_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Observation {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) methods: Vec<&'static str>,
    pub(crate) types: Vec<&'static str>,
    pub(crate) origins: Vec<Origin>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subjects: Vec<SubjectRef>,
    pub(crate) relevant_evidence: Vec<RelevantEvidence>,
    pub(crate) collected: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remarks: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RelevantEvidence {
    pub(crate) href: String,
    pub(crate) description: String,
    pub(crate) props: Vec<Prop>,
    pub(crate) links: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Risk {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) statement: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) status: &'static str,
    pub(crate) origins: Vec<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deadline: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remediations: Vec<Remediation>,
    pub(crate) risk_log: RiskLog,
    pub(crate) related_observations: Vec<ObservationRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Remediation {
    pub(crate) uuid: String,
    pub(crate) lifecycle: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<Task>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RiskLog {
    pub(crate) entries: Vec<RiskLogEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RiskLogEntry {
    pub(crate) uuid: String,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) start: String,
    pub(crate) status_change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_responses: Vec<ResponseRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ResponseRef {
    pub(crate) response_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ObservationRef {
    pub(crate) observation_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RiskRef {
    pub(crate) risk_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FindingRef {
    pub(crate) finding_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) origins: Vec<Origin>,
    pub(crate) target: FindingTarget,
    pub(crate) related_observations: Vec<ObservationRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_risks: Vec<RiskRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FindingTarget {
    pub(crate) r#type: &'static str,
    pub(crate) target_id: String,
    pub(crate) status: FindingStatus,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FindingStatus {
    pub(crate) state: &'static str,
    pub(crate) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remarks: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LogEntry {
    pub(crate) uuid: String,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) start: String,
    pub(crate) props: Vec<Prop>,
    pub(crate) links: Vec<Link>,
    pub(crate) logged_by: Vec<LoggedBy>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_tasks: Vec<TaskRef>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LoggedBy {
    pub(crate) party_uuid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attestation {
    pub(crate) responsible_parties: Vec<ResponsibleParty>,
    pub(crate) parts: Vec<Part>,
}
