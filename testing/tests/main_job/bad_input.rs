//! Rubbish, nonsense and too much: each gets a clear error, and nothing is half done.

use anyhow::{Result, ensure};
use muster_domain::pb::{
    audit::v1::AuditFilter,
    inventory::v1::ListDocumentsRequest,
    readiness::v1::GetReadinessRequest,
    request::v1::{OpenRequestRequest, RequestType, WithdrawRequestRequest},
};
use muster_testing::Product;
use tonic::Code;

use crate::support::{direction, refused};

/// A manifest and what its refusal must name.
const BAD: &[(&str, &[&str])] = &[
    ("kind: Wizard\nmetadata: {name: x}\nspec: {}\n", &["Wizard", "Resource"]),
    ("kind: Site\nmetadata: {name: Mars Base}\nspec: {}\n", &["metadata.name", "Mars Base"]),
    ("kind: Site\nmetadata: {name: mars}\nspec: {colour: red}\n", &["colour"]),
    ("kind: [", &["line"]),
    ("", &["document"]),
];

pub(crate) async fn manifests(product: &mut Product) -> Result<()> {
    let ada = product.person("ada").await?;
    let before = documents(&ada).await?;
    for (manifest, names) in BAD {
        let refused = ada.apply("acme", manifest, false).await.expect_err("refused");
        ensure!(refused.code() == Code::InvalidArgument, "{refused:?}");
        for name in *names {
            ensure!(refused.message().contains(name), "{manifest:?}: '{name}' is not in: {}", refused.message());
        }
    }
    let resource = |rpo: &str, port_b: &str| {
        format!(
            "kind: Site\nmetadata: {{name: mars}}\nspec: {{}}\n---\nkind: Resource\nmetadata: {{name: bad-db}}\nspec:\n  tier: 1\n  environment: production\n  owner: x\n  primarySite: fra\n  drSite: ams\n  rpo: {rpo}\n  rto: 5m\n  postgresql:\n    database: x\n    tls: disable\n    monitor: {{user: m, passwordRef: \"file:m\"}}\n    nodes:\n      - {{name: a, site: fra, host: 127.0.0.1, port: 5999}}\n      - {{name: b, site: ams, host: 127.0.0.1, port: {port_b}}}\n"
        )
    };
    // The good document beside the bad one is not applied either.
    for (manifest, names) in [
        (resource("-5", "5998"), ["rpo", "-5"]),
        (resource("-5s", "5998"), ["rpo", "-5"]),
        (resource("10s", "5999"), ["nodes[1].host", "5999"]),
    ] {
        let refused = ada.apply("acme", &manifest, false).await.expect_err("refused");
        for name in names {
            ensure!(refused.message().contains(name), "'{name}' is not in: {}", refused.message());
        }
    }
    // Ten megabytes: refused by the command line with the limit, and by the API without harm.
    product.cli("ada", &["login", "--as", "ada"])?.must_succeed()?;
    let huge = product.data().join("huge.yaml");
    std::fs::write(
        &huge,
        format!("kind: Site\nmetadata: {{name: mars}}\nspec: {{displayName: \"{}\"}}\n", "x".repeat(10_000_000)),
    )?;
    let said = product.cli("ada", &["--tenant", "acme", "apply", "-f", &huge.display().to_string()])?;
    ensure!(said.code != 0 && said.err.contains("1 MiB"), "{said:?}");
    let refused = ada.apply("acme", &"#".repeat(10_000_000), false).await.expect_err("too large");
    ensure!(
        matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{refused:?}"
    );

    // Two at once: one after the other, never mixed.
    let policy = |text: &str| {
        format!(
            "kind: Policy\nmetadata: {{name: race}}\nspec:\n  description: {text}\n  readiness:\n    - tier: 3\n      thresholds: {{rpoWarning: {}s}}\n",
            text.len()
        )
    };
    let (one, other) = (policy("one"), policy("other"));
    let (first, second) = tokio::join!(ada.apply("acme", &one, false), ada.apply("acme", &other, false));
    ensure!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let now = documents(&ada).await?;
    ensure!(
        now.iter().filter(|name| *name != "race").eq(before.iter().filter(|name| *name != "race")),
        "something was applied: {now:?}"
    );
    ensure!(ada.fleet("acme").await?.len() == product.pairs().len(), "the fleet is as before");
    Ok(())
}

/// A key that was used stands for what was asked then; a NUL, which PostgreSQL cannot hold, finds nothing and breaks
/// nothing.
pub(crate) async fn keys_and_filters(product: &mut Product) -> Result<()> {
    let otto = product.person("otto").await?;
    let ask = |target: &str| OpenRequestRequest {
        tenant: "acme".into(),
        r#type: RequestType::Switchover.into(),
        resource: "billing-db".into(),
        target_site: target.into(),
        reason: "the same key twice".into(),
        idempotency_key: "one-key".into(),
        ..OpenRequestRequest::default()
    };
    let (_, target) = direction(product, "billing-db").await?;
    let open = |ask| async { otto.approval().open_request(otto.request(ask)).await };
    let first = open(ask(&target)).await?.into_inner().request.unwrap_or_default();
    let again = open(ask(&target)).await?.into_inner().request.unwrap_or_default();
    ensure!(first.request_id == again.request_id, "the same question is the same request");
    let other = OpenRequestRequest { reason: "something else".into(), ..ask(&target) };
    refused(open(other).await, Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED")?;
    let withdraw = WithdrawRequestRequest {
        tenant: "acme".into(),
        request_id: first.request_id,
        reason: "only a test".into(),
        ..Default::default()
    };
    otto.approval().withdraw_request(otto.request(withdraw)).await?;

    let vera = product.person("vera").await?;
    let filter = AuditFilter { actor: "ol\0ga".into(), ..Default::default() };
    ensure!(vera.events(filter).await?.is_empty(), "nobody has a NUL in the name");
    let ask = GetReadinessRequest { tenant: "acme".into(), resource: "orders\0db".into(), ..Default::default() };
    let answer = vera.monitor().get_readiness(vera.request(ask)).await.expect_err("no such resource");
    ensure!(matches!(answer.code(), Code::NotFound | Code::InvalidArgument), "{answer:?}");
    Ok(())
}

async fn documents(person: &muster_testing::Person) -> Result<Vec<String>> {
    let ask = ListDocumentsRequest { tenant: "acme".into(), ..Default::default() };
    let found = person.planner().list_documents(person.request(ask)).await?.into_inner().documents;
    Ok(found.into_iter().map(|document| document.name).collect())
}
