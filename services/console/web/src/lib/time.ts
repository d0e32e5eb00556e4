// Times and durations, as people read them. Unknown is never zero: what is absent is said to be unknown.

import { type Duration, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

export function milliseconds(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function instant(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && timestampMs(timestamp);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". */
export function humane(ms: number | undefined): string {
  if (ms === undefined) return "unknown";
  if (ms < 0) return `-${humane(-ms)}`;
  if (ms < 9_950) return `${(Math.round(ms / 100) / 10).toString()} s`;
  if (ms < MINUTE - 500) return `${Math.round(ms / SECOND)} s`;
  const whole = Math.round(ms / SECOND) * SECOND;
  if (whole < HOUR) return pair(whole, MINUTE, "min", SECOND, "s");
  if (whole < DAY) return pair(whole, HOUR, "h", MINUTE, "min");
  return pair(whole, DAY, "d", HOUR, "h");
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const count = Math.floor(ms / large);
  const rest = Math.floor((ms - count * large) / small);
  return rest === 0 ? `${count} ${largeName}` : `${count} ${largeName} ${rest} ${smallName}`;
}

/** "3 min ago", "in 2 h", "now". Coarse on purpose: the exact time is one hover away. */
export function relative(at: number, now: number): string {
  const distance = now - at;
  const size = Math.abs(distance);
  if (size < 2 * SECOND) return "now";
  const coarse = size < MINUTE ? Math.round(size / SECOND) * SECOND : size;
  const text = coarse < MINUTE ? humane(coarse) : coarse < HOUR ? `${Math.floor(coarse / MINUTE)} min` : coarse < DAY ? `${Math.floor(coarse / HOUR)} h` : `${Math.floor(coarse / DAY)} d`;
  return distance >= 0 ? `${text} ago` : `in ${text}`;
}

/** In the person's own zone: "22 Nov 2026, 03:02:11". */
export function local(at: number): string {
  return FORMAT.format(at);
}

const FORMAT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** "2026-11-22T03:02:11.123Z" */
export function exactUtc(at: number): string {
  return new Date(at).toISOString();
}
