//! The plans under testing/plans: each broken one has its one finding, with words that help; the sound ones have none.
//!
//! A broken plan begins with what is expected of it:
//!
//! | line | is |
//! |---|---|
//! | `# Code:` | the one finding above info, or the code of the refusal |
//! | `# Step:` | the step that it names; absent: the plan as a whole |
//! | `# Says:` | part of its text: the value that was found |
//! | `# Refused:` | the field for which `muster apply` refuses the plan |
//! | `# Policy: it-only` | it is judged where the policy asks nobody from the business |
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use jiff::Timestamp;
use muster_domain::{
    Refusal, TenantId,
    inventory::{Declared, TenantInventory, declare, validate},
    pb::{
        common::v1::{Environment, Role, Tier},
        inventory::v1::{ApprovalRequirement, Document, Kind},
        plan::v1::{Lint, LintSeverity, PlanSpec, plan_spec::Scope as PlanScope},
        request::v1::{ApprovalPolicy, RequestType},
    },
    plan::{self, Code, Direction, Surroundings},
    request,
};
use muster_planner::manifest;

const FEWEST: usize = 30;

struct Example {
    name: String,
    text: String,
}

impl Example {
    /// What stands behind `# key:`.
    fn expected(&self, key: &str) -> Option<&str> {
        let start = format!("# {key}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&start)).map(str::trim)
    }

    fn parse(&self) -> Result<Document, Vec<Refusal>> {
        parse(&self.text).map(|mut documents| documents.remove(0))
    }
}

fn parse(text: &str) -> Result<Vec<Document>, Vec<Refusal>> {
    let tenant: TenantId = "acme".parse().unwrap();
    let read = manifest::parse(text, &tenant);
    read.map(|all| all.into_iter().map(|one| one.document).collect())
        .map_err(|faults| faults.into_iter().map(|fault| fault.refusal).collect())
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testing/plans").join(name)
}

fn examples(name: &str) -> Vec<Example> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| Example {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

fn inventory() -> TenantInventory {
    let mut inventory = TenantInventory::default();
    let documents = parse(&fs::read_to_string(folder("inventory.yaml")).unwrap()).unwrap();
    for document in documents {
        let event = declare(&Declared::default(), &document, "ada", Timestamp::UNIX_EPOCH).unwrap();
        inventory.apply(&event);
    }
    inventory
}

fn spec(document: &Document) -> &PlanSpec {
    plan::spec_of(document).unwrap_or_else(|| panic!("{} is no plan", document.name))
}

fn lint(spec: &PlanSpec, inventory: &TenantInventory, it_only: bool) -> Vec<Lint> {
    let policies: Vec<&Document> = inventory.all(Kind::Policy).collect();
    let policy = |tier: Tier, environment: Environment, kind: RequestType| {
        if it_only {
            let it = ApprovalRequirement { role: Role::ApproverIt.into(), count: 2 };
            return ApprovalPolicy { require: vec![it], ..ApprovalPolicy::default() };
        }
        request::effective_policy(&policies, tier, environment, kind).policy
    };
    let commands = BTreeSet::from(["workers".to_owned()]);
    let secret_resolves = |reference: &str| Some(!reference.ends_with("-lost"));
    plan::lint(
        spec,
        &Surroundings { inventory, policy: &policy, commands: Some(&commands), secret_resolves: &secret_resolves },
    )
}

fn above_info(findings: Vec<Lint>) -> Vec<Lint> {
    findings.into_iter().filter(|lint| lint.severity() > LintSeverity::Info).collect()
}

fn all_words(findings: &[Lint]) -> Vec<String> {
    findings.iter().map(plan::describe).collect()
}

#[test]
fn each_broken_plan_has_its_one_finding() {
    let inventory = inventory();
    let mut found = BTreeSet::new();
    for example in examples("bad") {
        let name = &example.name;
        let code = example.expected("Code").unwrap_or_else(|| panic!("{name} names no code"));
        if Code::by_name(code).is_none() {
            continue;
        }
        let document = example.parse().unwrap_or_else(|faults| panic!("{name} cannot be read: {faults:?}"));
        let it_only = example.expected("Policy") == Some("it-only");
        let findings = above_info(lint(spec(&document), &inventory, it_only));
        let words = all_words(&findings);
        let [finding] = findings.as_slice() else { panic!("{name}: one finding, and not {words:#?}") };
        assert_eq!(finding.code, code, "{name}: {words:?}");
        assert_eq!(finding.step, example.expected("Step").unwrap_or_default(), "{name}: {words:?}");
        // It names what was found and what is allowed, and then what to do.
        let says = example.expected("Says").unwrap();
        let (value, limit) = finding.text.split_once("(found: ").unwrap().1.rsplit_once("; allowed: ").unwrap();
        assert!(value.contains(says), "{name} says: {}", finding.text);
        assert!(limit.len() > 3 && finding.next_action.len() > 10, "{name}: {words:?}");
        assert!(!words[0].contains("hunter2"), "{name} repeats a secret");

        let refused = validate(&document, &inventory).faults;
        let cannot_be_declared = matches!(
            code,
            "DUPLICATE_ID"
                | "UNKNOWN_TYPE"
                | "TOO_MANY_STEPS"
                | "TOO_MANY_PHASES"
                | "TOO_MANY_PARTS"
                | "HTTP_SECRET_IN_URL"
        );
        assert_eq!(!refused.is_empty(), cannot_be_declared, "{name} at apply: {refused:?}");
        found.insert(code.to_owned());
    }
    // Those that a manifest cannot have, or that are no more than a note.
    let elsewhere = [Code::NoAction, Code::ContactMissing, Code::NotChecked];
    let missing: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !elsewhere.contains(code))
        .map(|code| code.name())
        .filter(|code| !found.contains(*code))
        .collect();
    assert!(missing.is_empty(), "no broken plan for {missing:?}");
}

#[test]
fn what_is_no_plan_is_refused_before_it_is_declared() {
    let inventory = inventory();
    let mut count = 0;
    for example in examples("bad").iter().filter(|example| example.expected("Refused").is_some()) {
        let (name, field) = (&example.name, example.expected("Refused").unwrap());
        let faults = match example.parse() {
            Ok(document) => validate(&document, &inventory).faults,
            Err(faults) => faults,
        };
        let [fault] = faults.as_slice() else { panic!("{name}: one fault, and not {faults:#?}") };
        assert_eq!(fault.field, field, "{name}: {fault:?}");
        let code = example.expected("Code").unwrap();
        assert!(fault.code == code || Code::by_name(code).is_some(), "{name}: {fault:?}");
        let says = example.expected("Says").filter(|_| fault.code == code).unwrap_or_default();
        assert!(fault.value.contains(says), "{name} says: {fault:?}");
        assert!(!fault.limit.is_empty() && fault.next_action.len() > 5, "{name}: {fault:?}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{name} repeats a secret");
        count += 1;
    }
    assert!(count >= 5, "{count} refused");
}

#[test]
fn there_are_enough_of_them_and_each_is_another_defect() {
    let all = examples("bad");
    assert!(all.len() >= FEWEST, "{} broken plans", all.len());
    for example in &all {
        assert!(example.text.starts_with("# ") && example.expected("Says").is_some(), "{}", example.name);
    }
    let texts: BTreeSet<&str> = all.iter().map(|example| example.text.as_str()).collect();
    assert_eq!(texts.len(), all.len());
}

#[test]
fn sound_plans_have_nothing_to_correct_and_run() {
    let inventory = inventory();
    let mut sound = examples("good");
    assert_eq!(sound.len(), 3);
    sound.push(Example { name: "docs/plans.md".into(), text: documented() });
    for example in sound {
        let name = &example.name;
        let document = example.parse().unwrap_or_else(|faults| panic!("{name} cannot be read: {faults:?}"));
        let spec = spec(&document);
        assert!(validate(&document, &inventory).faults.is_empty(), "{name}");
        let findings = above_info(lint(spec, &inventory, false));
        assert!(findings.is_empty(), "{name}: {:#?}", all_words(&findings));
        runs(name, spec, &inventory);
    }
}

/// Every type of run that it serves, both ways.
fn runs(name: &str, spec: &PlanSpec, inventory: &TenantInventory) {
    let (group, resource) = match spec.scope.as_ref().unwrap() {
        PlanScope::Group(group) => (group.as_str(), ""),
        PlanScope::Resource(resource) => ("", resource.as_str()),
    };
    let scope = plan::scope(inventory, group, resource).unwrap();
    let served: Vec<RequestType> = request::TYPES.into_iter().filter(|kind| plan::serves(spec, *kind)).collect();
    assert!(served.len() >= 4, "{name}: the drills, and what it is for");
    for kind in served {
        for direction in [Direction::AsWritten, Direction::Reversed] {
            let steps = plan::unfold(spec, kind, direction, &scope);
            let steps = steps.unwrap_or_else(|refusal| panic!("{name}, {kind:?}: {refusal:?}"));
            let moves = steps.iter().filter(|step| step.resource.is_some()).count();
            assert_eq!(moves, scope.members.len(), "{name}, {kind:?}");
        }
    }
}

/// The example of the page that explains plans.
fn documented() -> String {
    let page = include_str!("../../../docs/plans.md");
    let example = page.split_once("```yaml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    example.to_owned()
}
