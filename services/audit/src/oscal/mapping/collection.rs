//! The mapping table as an OSCAL mapping collection: which control of NIST SP 800-53 serves which requirement of the other
//! frameworks. Their own catalogs are not public in OSCAL, so each is a resource that names the framework.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::FRAMEWORKS;
use crate::oscal::{
    Document, VERSION,
    component::{CATALOG, last_modified, vendor},
    ids::derived,
    model::*,
};

/// The catalog that everything is mapped from.
const SOURCE: &str = "nist-sp-800-53r5";

#[derive(Debug, Deserialize)]
struct Table {
    frameworks: Vec<Framework>,
    requirements: Vec<Requirement>,
}

#[derive(Debug, Deserialize)]
struct Framework {
    id: String,
    title: String,
}

#[derive(Debug, Deserialize)]
struct Requirement {
    framework: String,
    id: String,
    title: String,
    objectives: Vec<String>,
    events: Vec<String>,
    evidence: String,
    sample: String,
}

pub(crate) fn mapping_collection() -> Result<Document, serde_json::Error> {
    let table: Table = serde_json::from_str(FRAMEWORKS)?;
    let vendor = vendor();
    let others: Vec<&Framework> = table.frameworks.iter().filter(|framework| framework.id != SOURCE).collect();
    let collection = MappingCollection {
        uuid: derived(&["mapping-collection", "product"]),
        metadata: Metadata {
            title: "Which control serves which requirement of other frameworks".into(),
            last_modified: last_modified()?,
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
        provenance: Provenance {
            method: "human",
            matching_rationale: "functional",
            status: "not-complete",
            mapping_description:
                "For each requirement the controls whose evidence in the record also serves it. Titles are our \
                                  own words; requirements that the record cannot serve are left out."
                    .into(),
        },
        mappings: others.iter().map(|framework| mapping(framework, &table.requirements)).collect(),
        back_matter: BackMatter { resources: others.iter().map(|framework| resource(framework)).collect() },
    };
    Document::new("mapping-collection.json".into(), "mapping-collection", &collection)
}

fn resource_uuid(framework: &Framework) -> String {
    derived(&["resource", "framework", &framework.id])
}

fn resource(framework: &Framework) -> Resource {
    Resource {
        uuid: resource_uuid(framework),
        title: framework.title.clone(),
        description: Some("Its text is its publisher's; requirements are named by their own numbers.".into()),
        props: Vec::new(),
        citation: Some(Citation { text: framework.title.clone() }),
        rlinks: Vec::new(),
        base64: None,
    }
}

fn mapping(framework: &Framework, requirements: &[Requirement]) -> Mapping {
    let own = requirements.iter().filter(|requirement| requirement.framework == framework.id);
    Mapping {
        uuid: derived(&["mapping", "product", &framework.id]),
        source_resource: MappedResource { r#type: "catalog", href: CATALOG.into() },
        target_resource: MappedResource { r#type: "catalog", href: format!("#{}", resource_uuid(framework)) },
        maps: own.map(map).collect(),
    }
}

fn map(requirement: &Requirement) -> Map {
    let Requirement { framework, id, title, objectives, events, evidence, sample } = requirement;
    // "cp-9.1_obj-2" is an objective of the control "cp-9.1".
    let controls: BTreeSet<&str> = objectives.iter().filter_map(|objective| objective.split("_obj").next()).collect();
    let control = |control: &str| MappedItem { r#type: "control", id_ref: control.to_owned() };
    Map {
        uuid: derived(&["map", "product", framework, id]),
        relationship: "intersects-with",
        sources: controls.into_iter().map(control).collect(),
        targets: vec![control(id)],
        props: events.iter().filter_map(|event| Prop::ours("event-type", event)).collect(),
        remarks: format!("{title}. Evidence: {evidence} Sample: {sample}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn every_requirement_of_the_other_frameworks_is_mapped_from_controls() {
        let document = mapping_collection().unwrap();
        let collection = &document.json["mapping-collection"];
        let table: Table = serde_json::from_str(FRAMEWORKS).unwrap();
        let expected = table.requirements.iter().filter(|requirement| requirement.framework != SOURCE).count();
        let maps: Vec<_> =
            collection["mappings"].as_array().unwrap().iter().flat_map(|m| m["maps"].as_array().unwrap()).collect();
        assert_eq!(maps.len(), expected);
        let exercises = maps.iter().find(|map| map["targets"][0]["id-ref"] == "8.5").unwrap();
        assert_eq!(exercises["sources"][0]["id-ref"], "cp-4");
        assert!(exercises["remarks"].as_str().unwrap().starts_with("Exercises. Evidence: "), "{exercises}");
        let resources = collection["back-matter"]["resources"].as_array().unwrap();
        for mapping in collection["mappings"].as_array().unwrap() {
            let href = mapping["target-resource"]["href"].as_str().unwrap();
            assert!(resources.iter().any(|resource| format!("#{}", resource["uuid"].as_str().unwrap()) == href));
        }
    }
}
