import { describe, expect, it } from "vitest";
import { OVERRIDABLE } from "../../gen/overridable.ts";
import { weighs } from "./overridable.ts";

describe("a check that says no", () => {
  it("is taken over only where it weighs a cost, by its kind", () => {
    for (const check of Object.keys(OVERRIDABLE)) expect(weighs(check)).toBe(OVERRIDABLE[check]);
    expect(weighs("integrity/orders-count")).toMatch(/question about the data/);
    for (const never of ["", "fence", "approvals", "plan_unchanged", "constructor", "toString", "Way_back"]) expect(weighs(never)).toBeUndefined();
  });
});
