//! What every OSCAL model shares: metadata, properties, links, resources.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Metadata {
    pub(crate) title: String,
    pub(crate) last_modified: String,
    pub(crate) version: String,
    pub(crate) oscal_version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<Role>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parties: Vec<Party>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) responsible_parties: Vec<ResponsibleParty>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Role {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Party {
    pub(crate) uuid: String,
    pub(crate) r#type: &'static str,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) member_of_organizations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ResponsibleParty {
    pub(crate) role_id: &'static str,
    pub(crate) party_uuids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ResponsibleRole {
    pub(crate) role_id: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) party_uuids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Prop {
    pub(crate) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns: Option<&'static str>,
    pub(crate) value: String,
}

impl Prop {
    /// One of ours; `None` when there is nothing to say.
    pub(crate) fn ours(name: &'static str, value: impl AsRef<str>) -> Option<Self> {
        let value = super::super::text::value(value.as_ref())?;
        Some(Self { name, ns: Some(super::super::NAMESPACE), value })
    }

    /// One that OSCAL itself defines.
    pub(crate) fn oscal(name: &'static str, value: &str) -> Self {
        Self { name, ns: None, value: value.to_owned() }
    }
}

/// The properties of ours that have a value.
pub(crate) fn props<const N: usize>(pairs: [(&'static str, String); N]) -> Vec<Prop> {
    pairs.into_iter().filter_map(|(name, value)| Prop::ours(name, value)).collect()
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) rel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BackMatter {
    pub(crate) resources: Vec<Resource>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Resource {
    pub(crate) uuid: String,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) citation: Option<Citation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rlinks: Vec<ResourceLink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<Base64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Citation {
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ResourceLink {
    pub(crate) href: String,
    pub(crate) media_type: &'static str,
    pub(crate) hashes: Vec<FileHash>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FileHash {
    pub(crate) algorithm: &'static str,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Base64 {
    pub(crate) filename: String,
    pub(crate) media_type: &'static str,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Component {
    pub(crate) uuid: String,
    pub(crate) r#type: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
    pub(crate) status: ComponentStatus,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ComponentStatus {
    pub(crate) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Part {
    pub(crate) uuid: String,
    pub(crate) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns: Option<&'static str>,
    pub(crate) prose: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<Prop>,
}
