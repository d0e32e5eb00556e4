//! The trend as an SVG drawing: the RPO indicator, the threshold, and gaps shown as gaps.

use muster_domain::{
    pb::readiness::v1::TrendPoint,
    time::{duration_from_pb, from_pb, humane},
};
use serde::Serialize;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 180.0;

#[derive(Debug, Serialize)]
pub(crate) struct Trend {
    width: f64,
    height: f64,
    /// One polyline for each stretch without a gap.
    lines: Vec<String>,
    /// Single points between two gaps.
    dots: Vec<(String, String)>,
    limit_y: Option<String>,
    limit_text: String,
    top_text: String,
    from: String,
    to: String,
    known: usize,
    buckets: usize,
}

/// Draws the points; `limit_seconds` is the breach threshold.
pub(crate) fn draw(points: &[TrendPoint], limit_seconds: Option<f64>) -> Trend {
    let values: Vec<Option<f64>> =
        points.iter().map(|p| duration_from_pb(p.rpo_max.as_ref()).map(|d| d.as_secs_f64())).collect();
    let highest = values.iter().flatten().copied().chain(limit_seconds).fold(1.0, f64::max) * 1.15;
    let y = |value: f64| HEIGHT - (value / highest * HEIGHT).clamp(0.0, HEIGHT);
    let x = |index: usize| index as f64 / values.len().max(2).saturating_sub(1) as f64 * WIDTH;

    let (mut lines, mut dots) = (Vec::new(), Vec::new());
    let mut stretch: Vec<(f64, f64)> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            Some(value) => stretch.push((x(index), y(*value))),
            None => finish(&mut stretch, &mut lines, &mut dots),
        }
    }
    finish(&mut stretch, &mut lines, &mut dots);

    let time = |point: Option<&TrendPoint>| {
        point.and_then(|p| from_pb(p.at.as_ref())).map(|t| t.strftime("%a %H:%M UTC").to_string()).unwrap_or_default()
    };
    let text = |seconds: f64| humane(jiff::SignedDuration::from_millis((seconds * 1_000.0) as i64));
    Trend {
        width: WIDTH,
        height: HEIGHT,
        lines,
        dots,
        limit_y: limit_seconds.map(|limit| format!("{:.1}", y(limit))),
        limit_text: limit_seconds.map(text).unwrap_or_default(),
        top_text: text(highest),
        from: time(points.first()),
        to: time(points.last()),
        known: values.iter().flatten().count(),
        buckets: values.len(),
    }
}

fn finish(stretch: &mut Vec<(f64, f64)>, lines: &mut Vec<String>, dots: &mut Vec<(String, String)>) {
    match stretch.as_slice() {
        [] => {}
        [(x, y)] => dots.push((format!("{x:.1}"), format!("{y:.1}"))),
        many => lines.push(many.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")),
    }
    stretch.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_domain::time::duration_to_pb;

    fn point(seconds: Option<i64>) -> TrendPoint {
        TrendPoint {
            rpo_max: seconds.map(|s| duration_to_pb(jiff::SignedDuration::from_secs(s))),
            ..Default::default()
        }
    }

    #[test]
    fn a_gap_breaks_the_line() {
        let trend = draw(
            &[point(Some(1)), point(Some(2)), point(None), point(Some(3)), point(None), point(Some(1)), point(Some(1))],
            Some(10.0),
        );
        assert_eq!((trend.lines.len(), trend.dots.len(), trend.known, trend.buckets), (2, 1, 5, 7));
        assert!(trend.limit_y.is_some());
    }

    #[test]
    fn nothing_known_draws_nothing() {
        let trend = draw(&[point(None), point(None)], None);
        assert!(trend.lines.is_empty() && trend.dots.is_empty());
    }
}
