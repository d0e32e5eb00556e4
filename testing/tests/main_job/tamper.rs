//! Somebody with access to the broker's disk. The last case: what it does to the record cannot be taken back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::{audit::v1::AuditFilter, request::v1::RequestType};
use muster_testing::{
    Product,
    file_store::FileStore,
    poll::{self, Look},
};

const LIMIT: Duration = Duration::from_secs(120);
const TENANT: &str = "acme";

pub(crate) async fn one_byte(product: &mut Product) -> Result<()> {
    // An attempt that the culprit would rather not have made: it is in the record.
    let vera = product.person("vera").await?;
    ensure!(vera.open(RequestType::Switchover, "orders-db", "ams").await.is_err(), "a viewer may open a request");
    product.cli("ada", &["login", "--as", "ada"])?.must_succeed()?;
    let denied = AuditFilter { types: vec!["access.denied".to_owned()], ..AuditFilter::default() };
    let victim = vera.events(denied).await?.pop().context("the denial is not in the record")?;
    // The first look keeps the log's key and its checkpoint in the profile. The victim is witnessed by then.
    poll::until("the record to verify as good, victim included", LIMIT, || async {
        let said = verify(product)?;
        let covers = said.code == 0 && leaves(&said.out) > victim.sequence;
        Ok(if covers { Look::Found(()) } else { Look::NotYet(said) })
    })
    .await?;

    product.stop().await?;
    let store = FileStore::of(&product.data().join("nats/store"), "REC_acme_1");
    store.forge(victim.sequence, |event| event.payload[event.payload.len() / 2] ^= 1)?;
    product.start_again().await?;

    product.cli("ada", &["login", "--as", "ada"])?.must_succeed()?;
    let said = verify(product)?;
    let named = format!("event {} (", victim.sequence);
    let broken: Vec<&str> = said.out.lines().filter(|line| line.contains("BROKEN")).collect();
    ensure!(said.code == 1, "{said:?}");
    ensure!(broken.len() == 1 && broken[0].contains(&named) && broken[0].contains("was edited"), "{named}: {said:?}");
    Ok(())
}

fn verify(product: &Product) -> Result<muster_testing::product::Said> {
    product.cli("ada", &["--tenant", TENANT, "audit", "verify"])
}

/// The size of the checkpoint that was verified.
fn leaves(said: &str) -> u64 {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("checkpoint"));
    line.and_then(|size| size.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
