import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { median, slope } from "./trend.mjs";

const row = (...values) => values.map((value, minute) => ({ minute, value }));

describe("a trend", () => {
  it("is what most of the row says, and not what one odd value does", () => {
    assert.equal(slope(row(10, 12, 14, 16, 18)), 2);
    assert.equal(slope(row(10, 10, 10, 900, 10, 10, 10)), 0);
    assert.ok(slope(row(10, 13, 9, 14, 15, 13, 18)) > 0.5);
    assert.ok(slope(row(18, 15, 16, 12, 11)) < 0);
    assert.ok(Number.isNaN(slope(row(10))));
  });

  it("is in units a minute, however far apart the values are", () => {
    assert.equal(slope([{ minute: 0, value: 0 }, { minute: 10, value: 30 }, { minute: 12, value: 36 }]), 3);
    assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3])], [2, 2.5]);
  });
});
