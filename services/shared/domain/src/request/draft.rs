//! Policies as they would be: "with this draft, who must approve what?". Asked before it holds; nothing of it is kept.

use std::collections::BTreeMap;

use crate::ids::check_name;
use crate::pb::inventory::v1::{Document, document::Spec};
use crate::refusal::{Refusal, field_refusal};

/// One change of the rules is a few policies. Each is read again for every question.
pub const MAX_DRAFTS: usize = 50;
/// What is declared counts its versions from 1.
pub(super) const DRAFTED: u64 = 0;

/// The policies in use, with the drafts in the places of those of the same name, in the order of their names.
pub fn with_drafts(in_use: Vec<Document>, drafts: Vec<Document>) -> Result<Vec<Document>, Refusal> {
    if drafts.len() > MAX_DRAFTS {
        return Err(not_usable(&format!("{} drafts", drafts.len()), &format!("at most {MAX_DRAFTS} drafts")));
    }
    let mut named = BTreeMap::new();
    for draft in drafts {
        if check_name("name", &draft.name).is_err() || !matches!(draft.spec, Some(Spec::PolicySpec(_))) {
            return Err(not_usable(&shortened(&draft.name), "policies, each with a name"));
        }
        let draft = Document { version: DRAFTED, ..draft };
        if let Some(twice) = named.insert(draft.name.clone(), draft) {
            return Err(not_usable(&format!("{} twice", twice.name), "each policy once"));
        }
    }
    for policy in in_use {
        named.entry(policy.name.clone()).or_insert(policy);
    }
    Ok(named.into_values().collect())
}

fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

fn not_usable(value: &str, limit: &str) -> Refusal {
    field_refusal(
        "drafts",
        "FIELD_INVALID",
        "only policies can be tried before they hold",
        value,
        limit,
        "send the policies that a dry run of Apply answered, and nothing else",
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use proptest::prelude::*;

    use super::*;
    use crate::pb::common::v1::{Environment, Role, Tier};
    use crate::pb::inventory::v1::{ApprovalRequirement, ApprovalRule, PolicySpec, SiteSpec};
    use crate::pb::request::v1::RequestType;
    use crate::request::{EffectivePolicy, effective_policy};

    fn policy(name: &str, version: u64, business: u32) -> Document {
        let require = vec![ApprovalRequirement { role: Role::ApproverBusiness.into(), count: business }];
        let spec = PolicySpec { approvals: vec![ApprovalRule { require, ..Default::default() }], ..Default::default() };
        Document { name: name.into(), version, spec: Some(Spec::PolicySpec(spec)), ..Default::default() }
    }

    fn effective(policies: &[Document]) -> EffectivePolicy {
        let policies: Vec<&Document> = policies.iter().collect();
        effective_policy(&policies, Tier::Tier2, Environment::Production, RequestType::Switchover)
    }

    fn business(policies: &[Document]) -> Option<u32> {
        let policy = effective(policies).policy;
        policy.require.iter().find(|place| place.role() == Role::ApproverBusiness).map(|place| place.count)
    }

    #[test]
    fn a_draft_stands_in_the_place_of_the_policy_of_its_name() {
        let in_use = || vec![policy("night", 4, 1), policy("strict", 7, 2)];
        let changed = with_drafts(in_use(), vec![policy("strict", 8, 3)]).unwrap();
        assert_eq!(business(&changed), Some(3));
        assert_eq!(
            effective(&changed).policy.source,
            "built-in ADR-001, policy night version 4, policy strict as drafted"
        );
        let looser = with_drafts(in_use(), vec![policy("strict", 8, 1)]).unwrap();
        assert_eq!(business(&looser), Some(1), "what the draft leaves out holds no more");
    }

    #[test]
    fn a_new_one_comes_to_the_others_and_a_retired_one_goes() {
        let with_new = with_drafts(vec![policy("night", 4, 1)], vec![policy("strict", 1, 2)]).unwrap();
        assert_eq!(business(&with_new), Some(2));
        let gone = Document { retired: true, ..policy("night", 5, 1) };
        assert_eq!(business(&with_drafts(vec![policy("night", 4, 1)], vec![gone]).unwrap()), None);
    }

    #[test]
    fn nothing_but_policies_each_once_and_not_too_many_is_tried() {
        let site =
            Document { name: "fra".into(), spec: Some(Spec::SiteSpec(SiteSpec::default())), ..Default::default() };
        let many = |count: usize| (0..count).map(|index| policy(&format!("p{index}"), 0, 1)).collect::<Vec<_>>();
        for drafts in [
            vec![site],
            vec![Document { name: "empty".into(), ..Default::default() }],
            vec![policy("", 1, 1)],
            vec![policy("a", 1, 1), policy("a", 1, 2)],
            many(MAX_DRAFTS + 1),
        ] {
            assert_eq!(with_drafts(Vec::new(), drafts).unwrap_err().code, "FIELD_INVALID");
        }
        assert_eq!(with_drafts(Vec::new(), many(MAX_DRAFTS)).unwrap().len(), MAX_DRAFTS);
    }

    proptest! {
        /// What is tried is what would hold: the answer to a draft is the answer once it is declared.
        #[test]
        fn a_draft_says_what_its_declaration_would(
            in_use in prop::collection::btree_map("[a-d]", 1u32..4, 0..4),
            drafts in prop::collection::btree_map("[a-f]", 1u32..4, 0..4),
        ) {
            let documents = |counts: &BTreeMap<String, u32>| {
                counts.iter().map(|(name, count)| policy(name, 1, *count)).collect::<Vec<_>>()
            };
            let tried = with_drafts(documents(&in_use), documents(&drafts)).unwrap();
            let declared: BTreeMap<String, u32> = in_use.into_iter().chain(drafts).collect();
            let (tried, declared) = (effective(&tried), effective(&documents(&declared)));
            prop_assert_eq!(tried.policy.require, declared.policy.require);
        }
    }
}
