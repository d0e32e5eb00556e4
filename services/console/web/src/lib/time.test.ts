import { describe, expect, it } from "vitest";
import { humane, milliseconds, relative } from "./time.ts";

describe("durations", () => {
  it("are unknown when absent, and zero only when zero", () => {
    expect(humane(milliseconds(undefined))).toBe("unknown");
    expect(humane(0)).toBe("0 s");
  });

  it.each([
    [400, "0.4 s"],
    [2_100, "2.1 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [59_700, "1 min"],
    [185_000, "3 min 5 s"],
    [7_800_000, "2 h 10 min"],
    [86_400_000 * 4 + 3 * 3_600_000, "4 d 3 h"],
    [-5_000, "-5 s"],
  ])("%i ms is %s", (ms, text) => expect(humane(ms)).toBe(text));
});

describe("relative times", () => {
  it.each([
    [0, "now"],
    [30_000, "30 s ago"],
    [119_000, "1 min ago"],
    [3 * 3_600_000, "3 h ago"],
    [-7_200_000, "in 2 h"],
  ])("%i ms past is %s", (past, text) => expect(relative(1_000_000_000 - past, 1_000_000_000)).toBe(text));
});
