import { describe, expect, it } from "vitest";
import { forField, periodHold } from "./period.ts";

const NOW = Date.UTC(2026, 10, 22, 12, 30, 59, 999);
const HOUR = 3_600_000;

describe("a period to be reviewed", () => {
  it("is over, and begins before it ends", () => {
    expect(periodHold(forField(NOW - HOUR), forField(NOW), NOW)).toBeNull();
    expect(periodHold(forField(NOW), forField(NOW + HOUR), NOW)).toMatch(/still to come/);
    expect(periodHold(forField(NOW), forField(NOW - HOUR), NOW)).toMatch(/ends before/);
    expect(periodHold(forField(NOW), forField(NOW), NOW)).toMatch(/ends before/);
    expect([periodHold("", forField(NOW), NOW), periodHold(forField(NOW), "", NOW)]).toEqual(["Both times are needed.", "Both times are needed."]);
  });

  it("stands in its field in the person's own zone, never ahead", () => {
    const back = new Date(forField(NOW)).getTime();
    expect([back <= NOW, NOW - back < 60_000]).toEqual([true, true]);
  });
});
