//! The component definition: which controls Muster implements or supports, for customers to merge into their own plans.

use serde::Deserialize;

use super::{Document, VERSION, ids::derived, model::*, plan::muster_uuid};

/// The data: statement ids and our own words.
const IMPLEMENTATIONS: &str = include_str!("mapping/implementations.json");
pub(super) const CATALOG: &str = "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/NIST_SP-800-53_rev5_catalog.json";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    /// When these words were last changed.
    last_modified: String,
    implementations: Vec<Implementation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Implementation {
    control: String,
    statement: String,
    text: String,
}

/// Who wrote what is shipped with the product.
pub(super) fn vendor() -> Party {
    Party {
        uuid: derived(&["party", "vendor"]),
        r#type: "organization",
        name: "Muster maintainers".into(),
        props: Vec::new(),
        member_of_organizations: Vec::new(),
    }
}

/// When what is shipped with the product was last changed.
pub(super) fn last_modified() -> Result<String, serde_json::Error> {
    Ok(serde_json::from_str::<Shipped>(IMPLEMENTATIONS)?.last_modified)
}

pub(crate) fn component_definition() -> Result<Document, serde_json::Error> {
    let shipped: Shipped = serde_json::from_str(IMPLEMENTATIONS)?;
    let vendor = vendor();
    let requirement = |shipped: Implementation| ImplementedRequirement {
        uuid: derived(&["requirement", "product", &shipped.control]),
        control_id: shipped.control,
        description: shipped.text.clone(),
        statements: vec![Statement {
            uuid: derived(&["statement", "product", &shipped.statement]),
            statement_id: shipped.statement,
            description: shipped.text,
        }],
    };
    let document = ComponentDefinition {
        uuid: derived(&["component-definition", "product"]),
        metadata: Metadata {
            title: "Muster: what it implements or supports".into(),
            last_modified: shipped.last_modified,
            version: env!("CARGO_PKG_VERSION").into(),
            oscal_version: VERSION,
            props: Vec::new(),
            roles: vec![Role { id: "prepared-by", title: "Vendor" }],
            responsible_parties: vec![ResponsibleParty {
                role_id: "prepared-by",
                party_uuids: vec![vendor.uuid.clone()],
            }],
            parties: vec![vendor],
        },
        components: vec![DefinedComponent {
            uuid: muster_uuid(),
            r#type: "service",
            title: "Muster".into(),
            description: "Disaster-recovery readiness, drills and failover, with an append-only record of events."
                .into(),
            control_implementations: vec![ControlImplementation {
                uuid: derived(&["control-implementation", "product", "800-53r5"]),
                source: CATALOG,
                description: "Controls of NIST SP 800-53 Rev. 5. Where people must do the rest, it says \"supports\"."
                    .into(),
                implemented_requirements: shipped.implementations.into_iter().map(requirement).collect(),
            }],
        }],
    };
    Document::new("component-definition.json".into(), "component-definition", &document)
}
