#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use super::*;

const EVERYTHING: &str = include_str!("testdata/everything.yaml");

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn faults(text: &str) -> Vec<String> {
    match parse(text, &acme()) {
        Ok(read) => panic!("accepted: {read:?}"),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// A resource with one line replaced.
fn resource_with(line: &str, replacement: &str) -> String {
    document_with(2, line, replacement)
}

/// A document by its place in the file, with one text replaced.
fn document_with(index: usize, line: &str, replacement: &str) -> String {
    let text = EVERYTHING.split("---\n").nth(index).unwrap();
    assert!(text.contains(line), "{line}");
    text.replace(line, replacement)
}

const POLICY: usize = 7;
const PLAN: usize = 10;

#[test]
fn every_kind_and_key_is_read() {
    let read = parse(EVERYTHING, &acme()).unwrap();
    let documents: Vec<_> = read.iter().map(|d| serde_json::to_value(&d.document).unwrap()).collect();
    insta::assert_yaml_snapshot!(documents);
}

#[test]
fn what_is_written_reads_the_same() {
    for declaration in parse(EVERYTHING, &acme()).unwrap() {
        let text = to_yaml(&declaration.document).unwrap();
        let again = parse(&text, &acme()).unwrap_or_else(|faults| panic!("{text}\n{faults:?}"));
        assert_eq!(again[0].document, declaration.document, "{text}");
    }
}

#[test]
fn everything_together_is_valid() {
    let read = parse(EVERYTHING, &acme()).unwrap();
    let mut all = muster_domain::inventory::TenantInventory::default();
    for declaration in &read {
        let declared = muster_domain::inventory::Declared::default();
        let now = jiff::Timestamp::UNIX_EPOCH;
        all.apply(&muster_domain::inventory::declare(&declared, &declaration.document, "ada", now).unwrap());
    }
    for declaration in &read {
        let found = muster_domain::inventory::validate(&declaration.document, &all);
        assert!(found.faults.is_empty(), "{}: {:?}", declaration.document.name, found.faults);
    }
}

#[test]
fn what_is_left_out_gets_the_careful_default() {
    let text =
        resource_with("    heartbeat: transactionId\n    tls: disable\n", "").replace("    database: orders\n", "");
    let read = parse(&text, &acme()).unwrap();
    let value = serde_json::to_value(&read[0].document).unwrap();
    let target = &value["resourceSpec"]["postgresql"];
    assert_eq!(target["tls"], "TLS_MODE_VERIFY_FULL");
    assert_eq!(target["heartbeat"], "HEARTBEAT_NONE");
    assert_eq!(target["database"], "postgres");
}

/// What the documentation shows can be applied as it is shown.
#[test]
fn the_examples_of_the_documentation_are_manifests() {
    let page = include_str!("../../../../docs/manifest.md");
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 7);
    for example in &examples {
        let read = parse(example, &acme()).unwrap_or_else(|faults| {
            panic!("{example}\n{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        assert!(!read.is_empty());
    }
}

#[test]
fn empty_documents_and_comments_are_nothing() {
    let read = parse("# nothing\n---\n---\nkind: Site\nmetadata: {name: fra}\nspec: {}\n---\n", &acme()).unwrap();
    assert_eq!(read.len(), 1);
}

#[test]
fn an_alias_repeats_what_its_anchor_says() {
    let text = resource_with(
        "monitor: {user: muster_monitor, passwordRef: \"file:orders-monitor\"}",
        "monitor: &who {user: muster_monitor, passwordRef: \"file:orders-monitor\"}",
    )
    .replace("replication: {user: replicator, passwordRef: \"file:orders-replication\"}", "replication: *who");
    assert_eq!(parse(&text, &acme()).unwrap().len(), 1);
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let site = |rest: &str| format!("kind: Site\nmetadata: {{name: fra}}\n{rest}");
    let cases: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("only a comment", "# later\n".into()),
        ("not YAML", "kind: Site\n  metadata: [\n".into()),
        ("a tab as indentation", "kind: Site\nmetadata:\n\tname: fra\n".into()),
        ("a list instead of a document", "- kind: Site\n".into()),
        ("a text instead of a document", "hello\n".into()),
        ("no kind", "metadata: {name: fra}\nspec: {}\n".into()),
        ("unknown kind", "kind: Ressource\nmetadata: {name: fra}\nspec: {}\n".into()),
        ("kind in lower case", "kind: site\nmetadata: {name: fra}\nspec: {}\n".into()),
        ("kind is a list", "kind: [Site]\nmetadata: {name: fra}\nspec: {}\n".into()),
        ("no metadata", "kind: Site\nspec: {}\n".into()),
        ("no name", "kind: Site\nmetadata: {}\nspec: {}\n".into()),
        ("an empty name", "kind: Site\nmetadata: {name: }\nspec: {}\n".into()),
        ("a number as name", "kind: Site\nmetadata: {name: 12}\nspec: {}\n".into()),
        ("another tenant", "kind: Site\nmetadata: {name: fra, tenant: globex}\nspec: {}\n".into()),
        ("no spec", site("")),
        ("spec without content", site("spec:\n")),
        ("unknown key at the top", site("spec: {}\nstatus: {}\n")),
        ("misspelt key", site("spec: {displayname: x, regions: eu}\n")),
        ("repeated key", site("spec: {region: a, region: b}\n")),
        ("repeated key of the document", site("spec: {}\nspec: {}\n")),
        ("merge key", "a: &a {x: 1}\n---\nkind: Site\nmetadata: {name: fra}\nspec:\n  <<: {region: eu}\n".into()),
        ("unknown alias", site("spec: *nowhere\n")),
        ("a foreign tag", site("spec: {region: !secret x}\n")),
        ("the same thing twice", format!("{}---\n{}", site("spec: {}\n"), site("spec: {}\n"))),
        ("tier out of range", resource_with("tier: 1", "tier: 4")),
        ("tier as word", resource_with("tier: 1", "tier: critical")),
        ("misspelt environment", resource_with("environment: production", "environment: prodution")),
        ("duration without unit", resource_with("rpo: 30s", "rpo: 30")),
        ("duration without unit, in quotes", resource_with("rpo: 30s", "rpo: \"30\"")),
        ("negative duration", resource_with("rpo: 30s", "rpo: -5s")),
        ("negative number as duration", resource_with("rpo: 30s", "rpo: -5")),
        ("fraction as duration", resource_with("rto: 1h30m", "rto: 1.5h")),
        ("unknown unit", resource_with("rto: 1h30m", "rto: 3 weeks")),
        ("units in the wrong order", resource_with("rto: 1h30m", "rto: 30m1h")),
        ("overflowing duration", resource_with("rto: 1h30m", "rto: 9223372036854775807h")),
        ("a size in decimal units", resource_with("16MiB", "16MB")),
        ("a negative size", resource_with("16MiB", "-1")),
        ("nodes are no list", resource_with("    nodes:\n      - {name: orders-a, site: fra, host: 127.0.0.1, port: 5501, agent: orders-a}\n      - {name: orders-b, site: ams, host: 127.0.0.1, port: 5502, agent: orders-b}\n", "    nodes: orders-a\n")),
        ("port as text", resource_with("port: 5501", "port: \"5501\"")),
        ("negative port", resource_with("port: 5501", "port: -1")),
        ("a password in the manifest", resource_with("passwordRef: \"file:orders-monitor\"", "password: hunter2")),
        ("a number as secret reference", resource_with("\"file:orders-monitor\"", "12345678")),
        ("unknown TLS mode", resource_with("tls: disable", "tls: prefer")),
        ("no YAML 1.1 booleans", "kind: NotificationRoute\nmetadata: {name: a}\nspec: {productionOnCall: yes}\n".into()),
        ("two channels", "kind: NotificationRoute\nmetadata: {name: a}\nspec: {email: {to: [a@b.example]}, webhook: {url: \"https://a.example\", secretRef: \"file:x\"}}\n".into()),
        ("unknown role", "kind: Policy\nmetadata: {name: p}\nspec: {approvals: [{require: [{role: Approver-I}]}]}\n".into()),
        ("a requirement without role", "kind: Policy\nmetadata: {name: p}\nspec: {approvals: [{require: [{count: 1}]}]}\n".into()),
        ("a label that is a number", resource_with("costCentre: \"4711\"", "costCentre: 4711")),
        ("two platforms", resource_with("  postgresql:\n", "  redis: {tls: disable}\n  postgresql:\n")),
        ("two questions in one check", resource_with("rowCountOf: public.orders", "rowCountOf: orders, sql: SELECT 1")),
        ("a check without a question", resource_with("rowCountOf: public.orders, ", "")),
        ("an unknown source of copies", resource_with("    source:\n      backup: {tool: pgbackrest, repository: orders, maxAge: 26h}\n", "    source: primary\n")),
        ("a source that is no backup", resource_with("backup: {tool: pgbackrest", "bakup: {tool: pgbackrest")),
        ("an expression without anybody", document_with(POLICY, "- role: Approver-IT\n          - any", "- {}\n          - any")),
        ("an expression of two", document_with(POLICY, "- role: Approver-IT\n          - any", "- {role: Approver-IT, person: bea}\n          - any")),
        ("a misspelt part of an expression", document_with(POLICY, "          - atLeast:\n", "          - atleast:\n")),
        ("a freeze without an offset", document_with(POLICY, "\"2026-12-20T18:00:00+01:00\"", "\"2026-12-20 18:00\"")),
        ("a day in another language", document_with(POLICY, "[mon, tue", "[mo, tue")),
        ("a misspelt key of a freeze", document_with(POLICY, "timeZone: Europe", "timezone: Europe")),
        ("a step that does two things", document_with(PLAN, "          notify: The shop is open again\n", "          notify: The shop is open again\n          move: orders-db\n")),
        ("a step that does nothing", document_with(PLAN, "          notify: The shop is open again\n", "")),
        ("a misspelt action", document_with(PLAN, "          notify: The", "          notfy: The")),
        ("a shell", document_with(PLAN, "{name: workers, arguments: [stop, shop]}", "workers stop shop")),
        ("a number as argument", document_with(PLAN, "[stop, shop]", "[stop, 5]")),
        ("a condition about two things", document_with(PLAN, "        - resource: {resource: orders-db, atTarget: true, protected: true}", "        - {resource: {resource: orders-db}, tcp: {address: \"a:1\"}}")),
        ("an undo of two", document_with(PLAN, "            command: {name: workers, arguments: [start, shop]}", "            command: {name: workers}\n            notify: workers run")),
        ("an unknown failure policy", document_with(PLAN, "onFailure: undo", "onFailure: rollback")),
        ("a status code as text", document_with(PLAN, "[200, 204]", "[\"2xx\"]")),
        ("a scope of two", document_with(PLAN, "  group: shop\n", "  group: shop\n  resource: orders-db\n")),
        ("no scope", document_with(PLAN, "  group: shop\n", "")),
        ("a token in a plan", document_with(PLAN, "tokenRef: file:edge-token", "token: abc123")),
        ("several mistakes at once", resource_with("tier: 1", "tier: 9").replace("rpo: 30s", "rpo: soon").replace("owner:", "ownr:")),
    ];
    assert!(cases.len() >= 30);
    let mut shown = String::new();
    for (name, text) in &cases {
        shown.push_str(&format!("## {name}\n{}\n\n", faults(text).join("\n")));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        resource_with("passwordRef: \"file:orders-monitor\"", "password: hunter2"),
        resource_with("\"file:orders-monitor\"", "12345678"),
    ] {
        let shown = faults(&text).join("\n");
        assert!(!shown.contains("hunter2") && !shown.contains("12345678"), "{shown}");
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_costs_anything() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let texts = (0..300).map(|_| "*t".to_owned()).collect::<Vec<_>>().join(", ");
    let cases = [
        ("bytes", "x".repeat(MAX_BYTES + 1)),
        ("documents", "kind: Site\n---\n".repeat(MAX_DOCUMENTS + 1)),
        ("billion laughs", laughs),
        ("depth", format!("kind: {}{}", "[".repeat(5_000), "]".repeat(5_000))),
        ("values", format!("a: [{}]", vec!["1"; 60_000].join(","))),
        ("a long text", format!("a: {}", "x".repeat(10_000))),
        ("a long text, repeated", format!("a: &t {}\nb: [{texts}]", "x".repeat(100_000))),
        ("an alias of itself", "a: &a [*a]\n".to_owned()),
    ];
    let mut shown = String::new();
    for (name, text) in &cases {
        shown.push_str(&format!("## {name}\n{}\n\n", faults(text).join("\n")));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn no_more_faults_than_anybody_reads() {
    let text: String = (0..300).map(|_| "kind: Wrong\n---\n").collect();
    assert_eq!(faults(&text).len(), MAX_FAULTS);
}
