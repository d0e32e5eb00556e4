// Whether a row of measurements goes up: the median of the slopes between all pairs (Theil and Sen), which a single
// odd value does not move.

/** Units a minute; NaN with fewer than two points. */
export function slope(points) {
  const slopes = [];
  for (let later = 1; later < points.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      slopes.push((points[later].value - points[earlier].value) / (points[later].minute - points[earlier].minute));
    }
  }
  return median(slopes);
}

export function median(values) {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
