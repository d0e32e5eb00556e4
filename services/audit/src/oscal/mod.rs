//! OSCAL documents out of the record: assessment plan, assessment results, plan of action and milestones, component
//! definition. Pure: events in, documents out. The same events always give the same bytes.
//!
//! Rules that hold for every document: nothing is said without an event that shows it; what was not tested has no finding;
//! every identifier is derived from the event or the subject it stands for; an empty list is left out.

mod component;
mod decisions;
mod entry;
mod findings;
mod gaps;
mod ids;
mod integrity;
pub(crate) mod mapping;
mod model;
mod observations;
mod plan;
mod poam;
mod rest;
mod results;
mod run;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use component::component_definition;
use entry::Evidence;
pub(crate) use entry::{Logged, PackageFile, Scope, proof_path};
pub(crate) use gaps::{GapStory, gap_stories};
pub(crate) use integrity::tampering;
pub(crate) use plan::{Plans, monitoring_plan, plan_key, recovery_plan};
pub(crate) use poam::{OpenRisks, action_plan};
pub(crate) use rest::rest_of_the_record;
pub(crate) use results::{RunParts, results_of_run};
pub(crate) use run::{Run, parse};

/// The version that compliance-trestle 5.2.0 models; the JSON schemas of 1.2.2 differ from it in version strings only.
pub(crate) const VERSION: &str = "1.2.1";

/// The namespace of Muster's own properties. Frozen: every derived identifier hangs on it.
pub(crate) const NAMESPACE: &str = "urn:muster:oscal";

/// A document as it is written into a package.
#[derive(Debug)]
pub(crate) struct Document {
    /// "assessment-results-0193….json"
    pub(crate) name: String,
    pub(crate) json: serde_json::Value,
}

impl Document {
    fn new(name: String, model: &'static str, body: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_value(body)?;
        Ok(Self { name, json: serde_json::Value::Object([(model.to_owned(), body)].into_iter().collect()) })
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(&self.json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
