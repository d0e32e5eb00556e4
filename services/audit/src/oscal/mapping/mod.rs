//! Which requirement of which framework is served by which objective, shown by which events, and how to sample it. Data, with
//! titles of our own: the texts of ISO and of the AICPA are theirs.

mod collection;

pub(crate) use collection::mapping_collection;

/// As it rides in every package.
pub(crate) const FRAMEWORKS: &str = include_str!("frameworks.json");

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::collections::BTreeSet;

    use super::*;

    /// What the table names exists: frameworks, objectives of the catalog, event types of the reference.
    #[test]
    fn the_table_names_only_what_exists() {
        let table: serde_json::Value = serde_json::from_str(FRAMEWORKS).unwrap();
        let catalog = include_str!("../../../../../testing/oscal/nist-sp800-53r5-subset_catalog.json");
        let reference = include_str!("../../../../../docs/events.md");
        let frameworks: BTreeSet<&str> =
            table["frameworks"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
        let mut named = BTreeSet::new();
        for requirement in table["requirements"].as_array().unwrap() {
            let framework = requirement["framework"].as_str().unwrap();
            assert!(frameworks.contains(framework), "{requirement}");
            assert!(named.insert((framework, requirement["id"].as_str().unwrap())), "{requirement} is there twice");
            for objective in requirement["objectives"].as_array().unwrap() {
                assert!(catalog.contains(&format!("\"id\": {objective}")), "{objective} is not in the catalog");
            }
            for event in requirement["events"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()) {
                assert!(event == "*" || reference.contains(&format!("`{event}`")), "{event} is not in docs/events.md");
            }
            for text in ["title", "evidence", "sample"] {
                assert!(requirement[text].as_str().is_some_and(|text| !text.is_empty()), "{requirement}");
            }
        }
        assert_eq!(named.iter().map(|(framework, _)| framework).collect::<BTreeSet<_>>().len(), frameworks.len());
    }
}
