//! History: buckets of the width that was asked for, each with the worst of what lies in it.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::readiness::v1::{GetTrendRequest, GetTrendResponse, Status, TrendPoint},
    refusal::{Refusal, field_refusal},
    time::{duration_from_pb, duration_to_pb, given, humane, to_pb},
};
use muster_eventlog::Database;
use sqlx::Row;

use crate::board::RESOLUTIONS;

/// Points when no step was asked for.
const POINTS: i64 = 300;
/// What one answer holds at most.
const MAX_POINTS: i64 = 2_000;
const DEFAULT_RANGE: SignedDuration = SignedDuration::from_hours(24);
/// Steps people read well, in seconds. Each is a multiple of the width it is made from.
const STEPS: [i64; 12] = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400];

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    from_s: i64,
    to_s: i64,
    step_s: i64,
    width_s: i32,
}

impl Range {
    pub(crate) fn of(ask: &GetTrendRequest, now: Timestamp) -> Result<Self, Refusal> {
        let to = given("to", ask.to.as_ref())?.unwrap_or(now);
        let from = given("from", ask.from.as_ref())?.unwrap_or(to.saturating_sub(DEFAULT_RANGE).unwrap_or(to));
        let length = to.duration_since(from).as_secs();
        if length <= 0 {
            let (value, limit) = (from.to_string(), format!("before {to}"));
            let next = "choose an earlier beginning, or a later end";
            return Err(field_refusal("from", "RANGE_EMPTY", "a range begins before it ends", value, limit, next));
        }
        let [fine, coarse] = &RESOLUTIONS;
        let width_s = if now.duration_since(from) <= fine.kept { fine.width_s } else { coarse.width_s };
        let step_s = match duration_from_pb(ask.step.as_ref()) {
            Some(step) => checked_step(step, length, i64::from(width_s))?,
            None => STEPS
                .into_iter()
                .find(|s| *s >= i64::from(width_s) && length / s < POINTS)
                .unwrap_or(length / POINTS + 1),
        };
        Ok(Self { from_s: from.as_second().div_euclid(step_s) * step_s, to_s: to.as_second(), step_s, width_s })
    }
}

fn checked_step(step: SignedDuration, length: i64, width: i64) -> Result<i64, Refusal> {
    let seconds = step.as_secs();
    let least = (length / MAX_POINTS + 1).max(width);
    if step.subsec_nanos() != 0 || seconds < least || seconds % width != 0 {
        let limit = format!("whole multiples of {width} s, at least {least} s for this range");
        let next = "choose a longer step or a shorter range, or leave the step out";
        return Err(field_refusal(
            "step",
            "STEP_OUT_OF_RANGE",
            "history is kept in buckets",
            humane(step),
            limit,
            next,
        ));
    }
    Ok(seconds)
}

/// One point for each step, also where nothing was observed.
pub(crate) async fn read(
    db: &Database,
    tenant: &TenantId,
    resource: &str,
    range: Range,
) -> Result<GetTrendResponse, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT bucket_ms / ($5 * 1000) * $5 AS at_s, max(rpo_max_ms) AS rpo, max(not_received_max) AS not_received,
                max(not_applied_max) AS not_applied, max(worst) AS worst, sum(observations)::bigint AS observations
           FROM monitor.trend
          WHERE tenant = $1 AND resource = $2 AND width_s = $3 AND bucket_ms >= $4 * 1000 AND bucket_ms < $6 * 1000
          GROUP BY 1 ORDER BY 1",
    )
    .bind(tenant.as_str())
    .bind(resource)
    .bind(range.width_s)
    .bind(range.from_s)
    .bind(range.step_s)
    .bind(range.to_s)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut points: Vec<TrendPoint> =
        (range.from_s..range.to_s).step_by(range.step_s.unsigned_abs() as usize).map(empty).collect();
    for row in rows {
        let at: i64 = row.try_get("at_s")?;
        let index = usize::try_from((at - range.from_s) / range.step_s).unwrap_or(usize::MAX);
        if let Some(point) = points.get_mut(index) {
            let (rpo, worst): (Option<i64>, i16) = (row.try_get("rpo")?, row.try_get("worst")?);
            point.rpo_max = rpo.map(|ms| duration_to_pb(SignedDuration::from_millis(ms)));
            point.not_received_bytes_max = row.try_get::<Option<i64>, _>("not_received")?.map(i64::unsigned_abs);
            point.not_applied_bytes_max = row.try_get::<Option<i64>, _>("not_applied")?.map(i64::unsigned_abs);
            point.worst = status(worst).into();
            point.observations = u32::try_from(row.try_get::<i64, _>("observations")?).unwrap_or(u32::MAX);
        }
    }
    Ok(GetTrendResponse { points, step: Some(duration_to_pb(SignedDuration::from_secs(range.step_s))) })
}

fn empty(at_s: i64) -> TrendPoint {
    TrendPoint { at: Timestamp::from_second(at_s).ok().map(to_pb), ..TrendPoint::default() }
}

/// The order of `muster_domain::readiness::severity`, back.
fn status(severity: i16) -> Status {
    match severity {
        0 => Status::Green,
        1 => Status::Yellow,
        2 => Status::Unknown,
        _ => Status::Red,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn range(from_ago: i64, step: Option<i64>) -> Result<Range, Refusal> {
        let now = Timestamp::from_second(1_760_000_005).unwrap();
        let from = Timestamp::from_second(1_760_000_005 - from_ago).unwrap();
        let step = step.map(|s| duration_to_pb(SignedDuration::from_secs(s)));
        Range::of(&GetTrendRequest { from: Some(to_pb(from)), step, ..Default::default() }, now)
    }

    #[test]
    fn a_day_has_at_most_300_points_and_months_come_from_coarse_buckets() {
        let day = range(24 * 3600, None).unwrap();
        assert_eq!((day.step_s, day.width_s, day.from_s % 300), (300, 10, 0));
        assert_eq!(range(60, None).unwrap().step_s, 10);
        let quarter = range(90 * 24 * 3600, None).unwrap();
        assert_eq!((quarter.step_s, quarter.width_s), (86_400, 300));
    }

    #[test]
    fn a_step_that_cannot_be_had_is_refused_with_what_can() {
        assert_eq!(range(3600, Some(7)).unwrap_err().field, "step");
        assert!(range(24 * 3600, Some(10)).unwrap_err().limit.contains("at least 44 s"));
        assert_eq!(range(3600, Some(20)).unwrap().step_s, 20);
        assert_eq!(range(-10, None).unwrap_err().code, "RANGE_EMPTY");
        let never = Some(muster_domain::time::PbTimestamp { seconds: i64::MAX, nanos: 0 });
        let ask = GetTrendRequest { to: never, ..Default::default() };
        assert_eq!(Range::of(&ask, Timestamp::UNIX_EPOCH).unwrap_err().field, "to");
    }
}
