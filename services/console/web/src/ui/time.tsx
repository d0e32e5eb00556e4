// Times in the person's zone, with the exact UTC on hover.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useNow } from "../lib/clock.ts";
import { exactUtc, instant, local, relative } from "../lib/time.ts";

/** "22 Nov 2026, 03:02:11" */
export function Moment({ at }: { at: Timestamp | undefined }) {
  const when = instant(at);
  if (when === undefined) return <span className="quiet">not known</span>;
  return (
    <time dateTime={exactUtc(when)} title={exactUtc(when)}>
      {local(when)}
    </time>
  );
}

/** "3 min ago" */
export function Ago({ at }: { at: Timestamp | undefined }) {
  const now = useNow();
  const when = instant(at);
  if (when === undefined) return <span className="quiet">not known</span>;
  return (
    <time dateTime={exactUtc(when)} title={`${local(when)} here\n${exactUtc(when)}`}>
      {relative(when, now)}
    </time>
  );
}
