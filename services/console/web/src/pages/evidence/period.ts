// The period that a review is about, as the fields of its dialog hold it: in the person's own zone, to the minute.

const MINUTE_MS = 60_000;

/** "2026-11-22T03:02", as a field of the browser takes it. Seconds are cut off, so that it is never ahead. */
export function forField(at: number): string {
  const zone = new Date(at).getTimezoneOffset() * MINUTE_MS;
  return new Date(at - zone).toISOString().slice(0, 16);
}

/** What is wrong with it; null when it will do. */
export function periodHold(from: string, to: string, now: number): string | null {
  const [begin, end] = [from, to].map((field) => (field ? new Date(field).getTime() : Number.NaN)) as [number, number];
  if (Number.isNaN(begin) || Number.isNaN(end)) return "Both times are needed.";
  if (begin >= end) return "It ends before it begins.";
  return end > now ? "What is still to come cannot be reviewed." : null;
}
