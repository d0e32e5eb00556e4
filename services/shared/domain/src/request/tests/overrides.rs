//! Taking the responsibility for one check: who may, for which, and what it does.

use super::*;
use crate::pb::execution::v1::{Check, CheckOutcome};

const CHECK: &str = "target_free_disk";

fn take(request: &Request, who: &Actor, check: &str, resource: &str) -> Result<Option<RequestEvent>, Refusal> {
    override_check(request, who, check, resource, "the disk grows tonight", now())
}

#[test]
fn an_approver_of_it_takes_it_once_and_the_requester_never() {
    let mut request = opened(Tier::Tier2);
    assert_eq!(code(take(&request, &olga(), CHECK, "")), "APPROVER_IS_REQUESTER");
    assert_eq!(code(take(&request, &bea(), CHECK, "")), "ROLE_MISSING");
    assert_eq!(override_check(&request, &ingo(), CHECK, "", " ", now()).unwrap_err().field, "reason");
    assert_eq!(take(&request, &ingo(), CHECK, "other-db").unwrap_err().field, "resource");
    let decision = take(&request, &ingo(), CHECK, "orders-db");
    apply(&mut request, decision);
    assert_eq!(take(&request, &person("ida", &[Role::ApproverIt]), CHECK, "orders-db"), Ok(None));
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    let decision = go(&request, &olga(), PHRASE);
    apply(&mut request, decision);
    assert_eq!(request.view.confirmed.as_ref().unwrap().overrides.len(), 1);
    assert_eq!(code(take(&request, &ingo(), "integrity/orders", "")), "REQUEST_CLOSED");
}

#[test]
fn what_proves_that_a_step_is_safe_is_never_overridden() {
    let request = opened(Tier::Tier2);
    let never = [
        "approvals_are_complete",
        "confirmation_is_fresh",
        "distinct_servers",
        "old_primary_can_be_fenced",
        "old_primary_is_fenced",
        "plan_is_as_approved",
        "resource_is_as_approved",
        "resource_is_free",
        "same_system",
        "target_is_standby",
        "protection_is_back",
        "agent_is_the_node",
        "",
        "integrity_of_everything",
    ];
    for check in never {
        assert_eq!(code(take(&request, &ingo(), check, "")), "CHECK_NOT_OVERRIDABLE", "{check}");
    }
    for (check, _) in OVERRIDABLE {
        assert!(take(&request, &ingo(), check, "").is_ok(), "{check}");
    }
}

#[test]
fn it_is_applied_to_the_check_that_was_meant_and_to_no_other() {
    let mut request = opened(Tier::Tier2);
    let decision = take(&request, &ingo(), CHECK, "orders-db");
    apply(&mut request, decision);
    let mut confirmed =
        crate::pb::request::v1::RequestConfirmed { overrides: request.view.overrides.clone(), ..Default::default() };
    // What no decision of ours writes has no effect either.
    let forged = crate::pb::request::v1::CheckOverridden {
        check: "same_system".into(),
        resource: "orders-db".into(),
        ..confirmed.overrides[0].clone()
    };
    confirmed.overrides.push(forged);
    let check = |name: &str, resource: &str, outcome: CheckOutcome| Check {
        name: name.into(),
        resource: resource.into(),
        outcome: outcome.into(),
        ..Default::default()
    };
    let mut checks = vec![
        check(CHECK, "orders-db", CheckOutcome::Failed),
        check(CHECK, "orders-db", CheckOutcome::Unknown),
        check(CHECK, "orders-db", CheckOutcome::Passed),
        check(CHECK, "cart", CheckOutcome::Failed),
        check("same_system", "orders-db", CheckOutcome::Failed),
    ];
    apply_overrides(&mut checks, &confirmed);
    let marked: Vec<bool> = checks.iter().map(|check| !check.overridden.is_empty()).collect();
    assert_eq!(marked, [true, true, false, false, false]);
    assert_eq!(checks[0].overridden, "ingo as Approver-IT: the disk grows tonight");
    assert_eq!(checks[0].outcome(), CheckOutcome::Failed, "it is shown as it is");
    assert_eq!(crate::execution::blocking(&checks).len(), 2);
}

#[test]
fn the_page_names_each_check_with_what_it_weighs() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/approvals.md"));
    let rows: Vec<String> = OVERRIDABLE.iter().map(|(check, weighs)| format!("| `{check}` | {weighs} |")).collect();
    let section = page.split("\n## Overriding a check\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let told: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(told, rows);
}
