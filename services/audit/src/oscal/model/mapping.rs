//! Mapping collection: which control of one catalog serves which of another.

use serde::Serialize;

use super::{BackMatter, Metadata, Prop};

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MappingCollection {
    pub(crate) uuid: String,
    pub(crate) metadata: Metadata,
    pub(crate) provenance: Provenance,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) back_matter: BackMatter,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Provenance {
    pub(crate) method: &'static str,
    pub(crate) matching_rationale: &'static str,
    pub(crate) status: &'static str,
    pub(crate) mapping_description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) source_resource: MappedResource,
    pub(crate) target_resource: MappedResource,
    pub(crate) maps: Vec<Map>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MappedResource {
    pub(crate) r#type: &'static str,
    pub(crate) href: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Map {
    pub(crate) uuid: String,
    pub(crate) relationship: &'static str,
    pub(crate) sources: Vec<MappedItem>,
    pub(crate) targets: Vec<MappedItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) remarks: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MappedItem {
    pub(crate) r#type: &'static str,
    pub(crate) id_ref: String,
}
