//! Component definition and mapping collection: what is shipped with the product.

use serde::Serialize;

use super::Metadata;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ComponentDefinition {
    pub(crate) uuid: String,
    pub(crate) metadata: Metadata,
    pub(crate) components: Vec<DefinedComponent>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DefinedComponent {
    pub(crate) uuid: String,
    pub(crate) r#type: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) control_implementations: Vec<ControlImplementation>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ControlImplementation {
    pub(crate) uuid: String,
    pub(crate) source: &'static str,
    pub(crate) description: String,
    pub(crate) implemented_requirements: Vec<ImplementedRequirement>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImplementedRequirement {
    pub(crate) uuid: String,
    pub(crate) control_id: String,
    pub(crate) description: String,
    pub(crate) statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Statement {
    pub(crate) statement_id: String,
    pub(crate) uuid: String,
    pub(crate) description: String,
}
