//! The board: what is green, since when it is known, and by which limits.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_domain::{
    pb::{
        inventory::v1::{Kind, ListDocumentsRequest},
        readiness::v1::{GetTrendRequest, Status},
    },
    time::duration_from_pb,
};
use muster_testing::Product;

use crate::support::{HEALTHY, becomes, healthy};

pub(crate) async fn both_green(product: &mut Product) -> Result<()> {
    let vera = product.person("vera").await?;
    let start = Instant::now();
    for resource in ["orders-db", "billing-db"] {
        let limit = Duration::from_secs(30).saturating_sub(start.elapsed());
        let view = becomes(&vera, resource, Status::Green, limit).await?;
        let age = duration_from_pb(view.freshness.as_ref()).expect("freshness is always told");
        ensure!(age.as_secs() < 10, "freshness is {age:?}");
        ensure!(!view.owner.is_empty() && view.tier > 0, "tier and owner are on the board");
        let assessment = view.assessment.expect("assessed");
        let (primary, standby) =
            (assessment.primary.expect("primary marker"), assessment.standby.expect("standby marker"));
        ensure!(
            primary.system_identifier == standby.system_identifier && primary.timeline > 0 && !primary.lsn.is_empty(),
            "{primary:?} {standby:?}"
        );
        ensure!(assessment.observed_at.is_some(), "each observation carries its time");
    }
    let ask = ListDocumentsRequest { tenant: "acme".into(), kind: Kind::Group.into(), ..Default::default() };
    let groups = vera.planner().list_documents(vera.request(ask)).await?.into_inner().documents;
    ensure!(groups.iter().any(|group| group.name == "shop"), "the group is listed");
    Ok(())
}

pub(crate) async fn thresholds(product: &mut Product) -> Result<()> {
    let ada = product.person("ada").await?;
    let policy = |warning: &str| {
        format!(
            "kind: Policy\nmetadata: {{name: limits, tenant: acme}}\nspec:\n  readiness:\n    - tier: 2\n      thresholds: {{rpoWarning: {warning}}}\n"
        )
    };
    ada.apply("acme", &policy("7s"), false).await?;
    let used = muster_testing::poll::until("the new limit to be used", HEALTHY, || async {
        let view = ada.readiness("billing-db").await?;
        let warning = view.thresholds.and_then(|t| duration_from_pb(t.rpo_warning.as_ref()));
        Ok(muster_testing::poll::look_for(warning, |warning| warning.is_some_and(|w| w.as_secs() == 7)))
    });
    used.await?;
    let again = ada.apply("acme", &policy("7s"), false).await?;
    ensure!(again.documents.iter().all(|d| d.changes.is_empty()), "applying the same again changes nothing");
    let dry = ada.apply("acme", &policy("9s"), true).await?;
    ensure!(dry.documents[0].changes.len() == 1, "a dry run shows the difference: {dry:?}");
    let view = ada.readiness("billing-db").await?;
    ensure!(
        view.thresholds.and_then(|t| duration_from_pb(t.rpo_warning.as_ref())).is_some_and(|w| w.as_secs() == 7),
        "a dry run changed something"
    );
    healthy(product, "billing-db").await
}

pub(crate) async fn trend(product: &mut Product) -> Result<()> {
    let vera = product.person("vera").await?;
    muster_testing::poll::until("points of the trend", HEALTHY, || async {
        let ask = GetTrendRequest { tenant: "acme".into(), resource: "orders-db".into(), ..Default::default() };
        let answer = vera.monitor().get_trend(vera.request(ask)).await?.into_inner();
        let span = answer
            .points
            .first()
            .zip(answer.points.last())
            .and_then(|(first, last)| Some(last.at?.seconds - first.at?.seconds))
            .unwrap_or_default();
        let measured = answer.points.iter().filter(|point| point.rpo_max.is_some()).count();
        // A gap is a point without a value, never a zero.
        let honest = answer.points.iter().all(|point| point.observations > 0 || point.rpo_max.is_none());
        Ok(muster_testing::poll::look_for((span, measured, honest), |(span, measured, honest)| {
            *span > 23 * 3600 && *measured > 0 && *honest
        }))
    })
    .await
    .map(drop)
}
