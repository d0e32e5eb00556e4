//! One row for each gap, folded by the domain's own `evolve`.

use std::collections::BTreeMap;

use muster_domain::{
    Aggregate,
    gap::Gap,
    pb::audit::v1::{Gap as GapView, GapEvent, GapState},
    time::to_pb,
};
use muster_eventlog::{ProjectionError, Record};
use prost::Message;
use sqlx::{PgConnection, Row};

use crate::views::number;

struct Standing {
    opened_sequence: i64,
    view: GapView,
}

pub(crate) async fn project(tx: &mut PgConnection, tenant: &str, batch: &[Record]) -> Result<(), ProjectionError> {
    let events: Vec<&Record> = batch.iter().filter(|record| record.kind == Gap::KIND).collect();
    if events.is_empty() {
        return Ok(());
    }
    let mut gaps = read(tx, tenant, &events).await?;
    for record in events {
        let event = record.decode::<GapEvent>()?;
        let standing = gaps
            .entry(record.id.clone())
            .or_insert_with(|| Standing { opened_sequence: number(record.sequence), view: GapView::default() });
        let mut gap = Gap::of_view(std::mem::take(&mut standing.view));
        gap.evolve(&event);
        let (changed_at, version) = (Some(to_pb(record.time)), record.version);
        // Whether it is overdue depends on when somebody looks.
        standing.view = GapView { changed_at, version, overdue: false, ..gap.view(record.time) };
    }
    write(tx, tenant, &gaps).await
}

async fn read(
    tx: &mut PgConnection,
    tenant: &str,
    events: &[&Record],
) -> Result<BTreeMap<String, Standing>, ProjectionError> {
    let ids: Vec<&str> = events.iter().map(|record| record.id.as_str()).collect();
    let rows = sqlx::query("SELECT gap_id, opened_sequence, gap FROM audit.gap WHERE tenant = $1 AND gap_id = ANY($2)")
        .bind(tenant)
        .bind(ids)
        .fetch_all(tx)
        .await?;
    let mut gaps = BTreeMap::new();
    for row in rows {
        let view = GapView::decode(row.try_get::<Vec<u8>, _>("gap")?.as_slice())?;
        gaps.insert(row.try_get("gap_id")?, Standing { opened_sequence: row.try_get("opened_sequence")?, view });
    }
    Ok(gaps)
}

async fn write(tx: &mut PgConnection, tenant: &str, gaps: &BTreeMap<String, Standing>) -> Result<(), ProjectionError> {
    for (gap_id, standing) in gaps {
        let view = &standing.view;
        let opened = view.opened.clone().unwrap_or_default();
        sqlx::query(
            "INSERT INTO audit.gap (tenant, gap_id, opened_sequence, closed, severity, resource, group_name, request_id, gap)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (tenant, gap_id) DO UPDATE SET closed = excluded.closed, gap = excluded.gap",
        )
        .bind(tenant)
        .bind(gap_id)
        .bind(standing.opened_sequence)
        .bind(view.state() == GapState::Closed)
        .bind(opened.severity)
        .bind(opened.resource.replace('\0', " "))
        .bind(opened.group.replace('\0', " "))
        .bind(opened.request_id.replace('\0', " "))
        .bind(view.encode_to_vec())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
