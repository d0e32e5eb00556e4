//! The demo's inventory, applied through the API as an admin would: a second start changes nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use muster_domain::{
    TenantId,
    pb::inventory::v1::{ApplyRequest, planner_service_client::PlannerServiceClient},
};
use muster_runtime::{Context, config::LOCAL_ISSUER_PATH, status::refusal_of};
use tonic::{Code, Request, transport::Channel};

use super::people::OTHER_TENANT;
use crate::{
    demo::{
        estate::{DATABASE, DR_SITE, EXECUTE, Estate, MONITOR, PRIMARY_SITE, Pair, Platform, REPLICATION, TENANT},
        world,
    },
    place::Place,
};

const ADMIN: &str = "ada";
/// The services start within seconds; longer means that something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn seed(context: &Context, place: &Place, estate: &Estate) -> Result<()> {
    let url = &context.config.server.public_url;
    let token =
        patiently(|| crate::client::login::token_as(url, ADMIN)).await.context("the local login does not work")?;
    let channel = Channel::from_shared(url.clone())?.connect_lazy();
    world::webhook_secret(place)?;
    apply(&channel, &token, TenantId::OPERATING, &tenants()).await?;
    apply(&channel, &token, TENANT, &inventory(place, estate, &local_issuer(context))?).await?;
    apply(&channel, &token, OTHER_TENANT, &sites(OTHER_TENANT)).await
}

async fn apply(channel: &Channel, token: &str, tenant: &str, manifest: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let mut request =
            Request::new(ApplyRequest { tenant: tenant.into(), manifest: manifest.into(), ..ApplyRequest::default() });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        match PlannerServiceClient::new(channel.clone()).apply(request).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == Code::Unavailable && started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            // Its content was made unreadable, for ever: there is nothing to set up, and no reason not to start.
            Err(status) if refusal_of(&status).is_some_and(|refusal| refusal.code == "PAYLOAD_KEY_DESTROYED") => {
                tracing::warn!(tenant, "the payload key of a demo tenant is destroyed; nothing is declared in it");
                return Ok(());
            }
            Err(status) => bail!("the demo's inventory of {tenant} is refused: {}", status.message()),
        }
    }
}

async fn patiently<T, Fut: Future<Output = Result<T>>>(attempt: impl Fn() -> Fut) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt().await {
            Err(_) if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(200)).await,
            done => return done,
        }
    }
}

fn tenants() -> String {
    [(TENANT, "ACME Trading"), (OTHER_TENANT, "Globex")]
        .map(|(name, title)| {
            format!("kind: Tenant\nmetadata: {{name: {name}}}\nspec: {{displayName: {title}, region: eu-central}}\n")
        })
        .join("---\n")
}

fn sites(tenant: &str) -> String {
    [(PRIMARY_SITE, "Frankfurt"), (DR_SITE, "Amsterdam")]
        .map(|(name, title)| format!("kind: Site\nmetadata: {{name: {name}, tenant: {tenant}}}\nspec: {{displayName: {title}, region: eu-central}}\n"))
        .join("---\n")
}

fn inventory(place: &Place, estate: &Estate, issuer: &str) -> Result<String> {
    let mut documents = vec![sites(TENANT)];
    documents.extend(estate.pairs.iter().map(resource));
    documents.push(shop(estate));
    if estate.pairs.iter().any(|pair| pair.resource == "orders-db") {
        documents.push(format!(
            "kind: Schedule\nmetadata: {{name: orders-monthly-proof, tenant: {TENANT}}}\nspec:\n  description: A proof each month; it asks, and never runs by itself\n  what: isolated-drill\n  resource: orders-db\n  rrule: FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2\n  timeZone: Europe/Berlin\n  reason: monthly proof\n"
        ));
    }
    documents.push(format!(
        "kind: NotificationRoute\nmetadata: {{name: demo-webhook, tenant: {TENANT}}}\nspec:\n  description: Everything, to the demo's own receiver\n  webhook: {{url: \"http://127.0.0.1:{}/hook\", secretRef: \"file:demo-webhook\"}}\n",
        place.port("webhook", None)?
    ));
    if world::mail_server().is_some() {
        documents.push(format!(
            "kind: NotificationRoute\nmetadata: {{name: demo-mail, tenant: {TENANT}}}\nspec:\n  description: Everything, to the demo's mail box\n  email: {{to: [oncall@acme.example]}}\n"
        ));
        documents.extend(
            [("ingo", "Approver-IT"), ("bea", "Approver-Business")].map(|(name, role)| contact(issuer, name, role)),
        );
    }
    Ok(documents.join("---\n"))
}

/// Who is asked by a mail of their own.
fn contact(issuer: &str, name: &str, role: &str) -> String {
    format!(
        "kind: Contact\nmetadata: {{name: {name}, tenant: {TENANT}}}\nspec:\n  person: \"{issuer}|{name}\"\n  email: {name}@example.com\n  askedAs: [{role}]\n"
    )
}

fn local_issuer(context: &Context) -> String {
    let issuers = context.config.auth.issuers.iter();
    issuers.map(|issuer| issuer.issuer.clone()).find(|issuer| issuer.ends_with(LOCAL_ISSUER_PATH)).unwrap_or_default()
}

/// What moves together when the shop moves: the cache needs the catalogue, the catalogue the orders.
fn shop(estate: &Estate) -> String {
    let mut group = format!(
        "kind: Group\nmetadata: {{name: shop, tenant: {TENANT}}}\nspec:\n  displayName: Web shop\n  members:\n"
    );
    let mut before: Option<&str> = None;
    for pair in estate.pairs.iter().filter(|pair| pair.resource != "billing-db") {
        group.push_str(&format!("    - resource: {}\n", pair.resource));
        if let Some(before) = before {
            group.push_str(&format!("      dependsOn: [{before}]\n"));
        }
        before = Some(&pair.resource);
    }
    group
}

fn resource(pair: &Pair) -> String {
    let nodes: String = pair
        .nodes
        .iter()
        .map(|node| {
            format!(
                "      - {{name: {0}, site: {1}, host: 127.0.0.1, port: {2}, agent: {0}}}\n",
                node.name, node.site, node.port
            )
        })
        .collect();
    let (rpo, title) = match pair.resource.as_str() {
        "orders-db" => ("10s", "Orders of the web shop"),
        "billing-db" => ("30s", "Invoices"),
        "catalog-db" => ("30s", "Products of the web shop"),
        _ => ("1m", "Sessions of the web shop"),
    };
    // What must hold of the data, and how a copy of it is made for drills.
    let data = match pair.platform {
        Platform::Postgresql => format!(
            "  integrity:
    - {{name: orders, description: No order is missing, rowCountOf: orders}}
  isolatedDrill: {{agent: {}, source: standby}}
",
            pair.nodes[1].name
        ),
        Platform::Mariadb => {
            "  integrity:\n    - {name: products, description: No product is missing, rowCountOf: products}\n"
                .to_owned()
        }
        Platform::Redis => String::new(),
    };
    let (platform, own) = match pair.platform {
        Platform::Postgresql => ("postgresql", format!("    database: {DATABASE}\n    heartbeat: transactionId\n")),
        Platform::Mariadb => ("mariadb", format!("    database: {DATABASE}\n")),
        Platform::Redis => ("redis", String::new()),
    };
    format!(
        "kind: Resource
metadata: {{name: {name}, tenant: {TENANT}}}
spec:
  displayName: {title}
  tier: {tier}
  environment: production
  owner: team-shop
  primarySite: {PRIMARY_SITE}
  drSite: {DR_SITE}
  rpo: {rpo}
  rto: 2m
  thresholds: {{recoverFor: 10s}}
{data}  {platform}:
{own}    tls: disable
    monitor: {{user: {MONITOR}, passwordRef: \"file:monitor\"}}
    execute: {{user: {EXECUTE}, passwordRef: \"file:execute\"}}
    replication: {{user: {REPLICATION}, passwordRef: \"file:replication\"}}
    nodes:
{nodes}",
        name = pair.resource,
        tier = pair.tier,
    )
}
