#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::SignedDuration;

use super::validate::Finding;
use super::validate_data::validate_data;
use crate::pb::inventory::v1::{
    BackupSource, IntegrityCheck, IsolatedDrill, PostgresqlNode, PostgresqlTarget, RedisTarget, ResourceSpec,
    StandbySource, integrity_check::Question, isolated_drill::Source, resource_spec::Platform,
};
use crate::time::duration_to_pb;

fn judged(spec: &ResourceSpec) -> Finding {
    let mut found = Finding::default();
    validate_data(&mut found, spec);
    for fault in &found.faults {
        assert!(!fault.next_action.is_empty() && !fault.limit.is_empty(), "{fault:?}");
    }
    found
}

fn fields(spec: &ResourceSpec) -> Vec<String> {
    judged(spec).faults.into_iter().map(|fault| fault.field).collect()
}

fn of_check(change: impl FnOnce(&mut IntegrityCheck)) -> Vec<String> {
    let mut check = IntegrityCheck {
        name: "orders".into(),
        question: Some(Question::RowCountOf("public.orders".into())),
        ..IntegrityCheck::default()
    };
    change(&mut check);
    fields(&ResourceSpec { integrity: vec![check], ..ResourceSpec::default() })
}

#[test]
fn a_check_asks_one_plain_question() {
    assert!(of_check(|_| ()).is_empty());
    let sql = |query: &str| Some(Question::Sql(query.to_owned()));
    assert!(of_check(|c| c.question = sql("SELECT sum(x)\nFROM t;")).is_empty());

    let at = |field: &str| vec![format!("spec.integrity[0]{field}")];
    assert_eq!(of_check(|c| c.question = None), at(""));
    assert_eq!(of_check(|c| c.name = "Orders!".into()), at(".name"));
    assert_eq!(of_check(|c| c.expect = "x".repeat(201)), at(".expect"));
    assert_eq!(of_check(|c| c.timeout = Some(duration_to_pb(SignedDuration::from_mins(16)))), at(".timeout"));
    for table in ["", "orders; DROP TABLE x", "a.b.c", "\"Orders\"", "1st", ".orders", "orders."] {
        let question = Some(Question::RowCountOf(table.to_owned()));
        assert_eq!(of_check(|c| c.question = question), at(".rowCountOf"), "{table}");
    }
    for query in ["", "  ", "SELECT 1; DROP TABLE x", "SELECT\u{0}1"] {
        assert_eq!(of_check(|c| c.question = sql(query)), at(".sql"), "{query}");
    }
    let query = Some(Question::Sql("x".repeat(2_001)));
    assert_eq!(of_check(|c| c.question = query), at(".sql"));
}

#[test]
fn checks_are_few_and_differ() {
    let check = |index: usize| IntegrityCheck {
        name: format!("c{index}"),
        question: Some(Question::ChecksumOf("t".into())),
        ..IntegrityCheck::default()
    };
    let spec = |integrity: Vec<_>| ResourceSpec { integrity, ..ResourceSpec::default() };
    assert!(fields(&spec((0..20).map(check).collect())).is_empty());
    assert_eq!(fields(&spec((0..21).map(check).collect())), ["spec.integrity"]);
    assert_eq!(fields(&spec(vec![check(1), check(1)])), ["spec.integrity[1].name"]);

    let redis = Some(Platform::Redis(RedisTarget::default()));
    let asked = ResourceSpec { platform: redis, ..spec(vec![check(1)]) };
    assert_eq!(fields(&asked), ["spec.integrity[0].checksumOf"]);
}

#[test]
fn a_copy_comes_from_somewhere_and_goes_somewhere() {
    let drill = |agent: &str, source| ResourceSpec {
        isolated_drill: Some(IsolatedDrill { agent: agent.into(), source }),
        ..ResourceSpec::default()
    };
    let standby = || Some(Source::Standby(StandbySource {}));
    let backup = |tool: &str, repository: &str, hours| {
        let max_age = Some(duration_to_pb(SignedDuration::from_hours(hours)));
        Some(Source::Backup(BackupSource { tool: tool.into(), repository: repository.into(), max_age }))
    };
    assert!(fields(&drill("b", standby())).is_empty());
    assert!(fields(&drill("b", backup("restic", "orders", 26))).is_empty());
    assert_eq!(fields(&drill("", standby())), ["spec.isolatedDrill.agent"]);
    assert_eq!(fields(&drill("b", None)), ["spec.isolatedDrill.source"]);
    assert_eq!(fields(&drill("b", backup("tar", "orders", 26))), ["spec.isolatedDrill.source.backup.tool"]);
    assert_eq!(fields(&drill("b", backup("restic", "/srv/x", 26))), ["spec.isolatedDrill.source.backup.repository"]);
    assert_eq!(fields(&drill("b", backup("restic", "orders", 0))), ["spec.isolatedDrill.source.backup.maxAge"]);
}

#[test]
fn a_copy_beside_the_primary_is_allowed_and_pointed_out() {
    let node = |name: &str, site: &str| PostgresqlNode {
        name: name.into(),
        site: site.into(),
        agent: name.into(),
        ..PostgresqlNode::default()
    };
    let nodes = vec![node("a", "fra"), node("b", "ams")];
    let spec = |agent: &str| ResourceSpec {
        primary_site: "fra".into(),
        platform: Some(Platform::Postgresql(PostgresqlTarget { nodes: nodes.clone(), ..PostgresqlTarget::default() })),
        isolated_drill: Some(IsolatedDrill { agent: agent.into(), source: Some(Source::Standby(StandbySource {})) }),
        ..ResourceSpec::default()
    };
    assert_eq!(judged(&spec("b")).warnings.len(), 0);
    let warned = judged(&spec("a"));
    assert_eq!((warned.warnings.len(), warned.faults.len()), (1, 0));
    assert!(warned.warnings.first().unwrap().contains("primary"));
}

#[test]
fn a_platform_that_cannot_be_copied_says_so_at_the_declaration() {
    let spec = ResourceSpec {
        platform: Some(Platform::Redis(RedisTarget::default())),
        isolated_drill: Some(IsolatedDrill { agent: "b".into(), source: Some(Source::Standby(StandbySource {})) }),
        ..ResourceSpec::default()
    };
    assert_eq!(fields(&spec), ["spec.isolatedDrill"]);
}
