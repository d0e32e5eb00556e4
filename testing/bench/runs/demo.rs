//! The demo pair of `muster up`, moved as people do it: a request, its approvals, the typed phrase.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::{
    audit::v1::AuditFilter,
    request::v1::{RequestState, RequestType},
};
use muster_testing::{
    Person, Product,
    poll::{self, Look, look_for},
};
use sqlx::{Connection as _, PgConnection};

use super::record::Record;

const RESOURCE: &str = "orders-db";
const LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Demo {
    /// Ends with all its servers when this is dropped.
    _product: Product,
    olga: Person,
    approvers: [Person; 2],
    nodes: Vec<Node>,
    /// Where it runs now.
    site: String,
}

struct Node {
    port: u64,
    data: PathBuf,
}

impl Demo {
    pub(super) async fn start() -> Result<Self> {
        let product = Product::start().await?;
        let nodes = nodes(&product)?;
        for node in &nodes {
            tell_logins(node).await?;
        }
        let olga = product.person("olga").await?;
        let approvers = [product.person("ingo").await?, product.person("bea").await?];
        let mut demo = Self { _product: product, olga, approvers, nodes, site: String::new() };
        demo.site = demo.active_site(|site| !site.is_empty()).await?;
        Ok(demo)
    }

    pub(super) fn urls(&self) -> [String; 2] {
        let url = |node: &Node| format!("postgres://postgres@127.0.0.1:{}/postgres", node.port);
        [url(&self.nodes[0]), url(&self.nodes[1])]
    }

    /// One run to its end, and when each of its events was stored.
    pub(super) async fn run(&mut self, kind: RequestType) -> Result<Record> {
        let view = self.olga.readiness(RESOURCE).await?;
        let target = if self.site == view.primary_site { &view.dr_site } else { &view.primary_site };
        let moves = kind == RequestType::Switchover;
        let mut request = self.olga.open(kind, RESOURCE, target).await?;
        for approver in &self.approvers {
            if request.state() == RequestState::PendingApproval {
                request = approver.approve(&request.request_id).await?;
            }
        }
        let id = request.request_id.clone();
        self.olga.start(&id, &request.opened.unwrap_or_default().confirmation_phrase).await?;
        let record = self.record(&id).await?;
        if moves {
            let target = target.clone();
            self.site = self.active_site(|site| *site == target).await?;
        }
        Ok(record)
    }

    /// Waits for the end of the run in the record that auditors read.
    async fn record(&self, id: &str) -> Result<Record> {
        let filter = AuditFilter { request_id: id.to_owned(), ..Default::default() };
        let records = poll::until("the end of the run in the record", LIMIT, || async {
            let records = self.olga.events(filter.clone()).await?;
            let over = records.iter().any(|record| record.r#type.starts_with("execution.succeeded"));
            let state = self.olga.show(id).await?.state();
            ensure!(
                !matches!(state, RequestState::Failed | RequestState::Stopped) || over,
                "the run ended as {state:?}"
            );
            Ok(if over { Look::Found(records) } else { Look::NotYet(state) })
        })
        .await?;
        Record::of(&records, &self.nodes.iter().map(|node| node.data.clone()).collect::<Vec<_>>())
    }

    async fn active_site(&self, holds: impl Fn(&String) -> bool) -> Result<String> {
        poll::until("the active site", LIMIT, || async {
            Ok(look_for(self.olga.readiness(RESOURCE).await?.active_site, |site| holds(site)))
        })
        .await
    }
}

fn nodes(product: &Product) -> Result<Vec<Node>> {
    let directory = product.data().join("estate");
    let estate: serde_json::Value = serde_json::from_slice(&std::fs::read(directory.join("estate.json"))?)?;
    let pairs = estate["pairs"].as_array().context("no pairs in estate.json")?;
    let pair = pairs.iter().find(|pair| pair["resource"] == RESOURCE).context("the demo pair is not there")?;
    let nodes =
        pair["nodes"].as_array().into_iter().flatten().filter_map(|node| {
            Some(Node { port: node["port"].as_u64()?, data: directory.join(node["name"].as_str()?) })
        });
    let nodes: Vec<Node> = nodes.collect();
    ensure!(nodes.len() == 2, "a pair has two nodes: {pair}");
    Ok(nodes)
}

/// The server writes down each login, with the time as a number.
async fn tell_logins(node: &Node) -> Result<()> {
    let mut session = PgConnection::connect(&format!("postgres://postgres@127.0.0.1:{}/postgres", node.port)).await?;
    for sql in [
        "ALTER SYSTEM SET log_connections = on",
        "ALTER SYSTEM SET log_line_prefix = '%n %p '",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::query(sql).execute(&mut session).await?;
    }
    Ok(())
}
