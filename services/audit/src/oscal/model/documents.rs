//! The documents themselves.

use serde::Serialize;

use super::{
    Activity, AssessmentAssets, Attestation, BackMatter, Component, Finding, FindingRef, LogEntry, Metadata,
    Observation, ObservationRef, Origin, Part, Prop, ReviewedControls, Risk, RiskRef, SubjectSelection, Task,
};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssessmentPlan {
    pub(crate) uuid: String,
    pub(crate) metadata: Metadata,
    pub(crate) import_ssp: Import,
    pub(crate) local_definitions: PlanDefinitions,
    pub(crate) terms_and_conditions: Terms,
    pub(crate) reviewed_controls: ReviewedControls,
    pub(crate) assessment_subjects: Vec<SubjectSelection>,
    pub(crate) assessment_assets: AssessmentAssets,
    pub(crate) tasks: Vec<Task>,
    pub(crate) back_matter: BackMatter,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Import {
    pub(crate) href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remarks: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlanDefinitions {
    /// None where only a group or the record is observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<Component>,
    pub(crate) activities: Vec<Activity>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Terms {
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssessmentResults {
    pub(crate) uuid: String,
    pub(crate) metadata: Metadata,
    pub(crate) import_ap: Import,
    pub(crate) results: Vec<AssessmentResult>,
    pub(crate) back_matter: BackMatter,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AssessmentResult {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) reviewed_controls: ReviewedControls,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attestations: Vec<Attestation>,
    pub(crate) assessment_log: AssessmentLog,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) observations: Vec<Observation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) risks: Vec<Risk>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AssessmentLog {
    pub(crate) entries: Vec<LogEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ActionPlan {
    pub(crate) uuid: String,
    pub(crate) metadata: Metadata,
    pub(crate) system_id: SystemId,
    pub(crate) local_definitions: ActionPlanDefinitions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) observations: Vec<Observation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) risks: Vec<Risk>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<Finding>,
    pub(crate) poam_items: Vec<ActionItem>,
    pub(crate) back_matter: BackMatter,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SystemId {
    pub(crate) identifier_type: &'static str,
    pub(crate) id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ActionPlanDefinitions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<Component>,
    pub(crate) assessment_assets: AssessmentAssets,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ActionItem {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) origins: Vec<Origin>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_findings: Vec<FindingRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_observations: Vec<ObservationRef>,
    pub(crate) related_risks: Vec<RiskRef>,
}
