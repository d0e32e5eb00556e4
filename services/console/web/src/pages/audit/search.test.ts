import { describe, expect, it } from "vitest";
import { filterOf, KINDS } from "./search.ts";

const search = { resource: "", request: "", actor: "", kind: "", from: "", to: "" };

describe("the search of the record", () => {
  it("asks for declarations by each kind of document: the API matches beginnings only", () => {
    const { types = [] } = filterOf({ ...search, kind: "declared" });
    expect(types).toContain("resource.declared");
    expect(types).toContain("template.retired");
    expect(types).not.toContain("*.declared");
  });

  it("stays within what the API takes, with a star at the end or nowhere", () => {
    for (const kind of Object.keys(KINDS)) {
      const { types = [] } = filterOf({ ...search, kind });
      expect(types.length).toBeGreaterThan(0);
      expect(types.length).toBeLessThanOrEqual(50);
      for (const type of types) expect(type).toMatch(/^[a-z_]+(\.[a-z_]+)*(\.\*)?$/);
    }
  });

  it("passes a type on that somebody typed into the address, and times of the reader's zone", () => {
    expect(filterOf({ ...search, kind: "request.approved" }).types).toEqual(["request.approved"]);
    expect(filterOf(search).types).toEqual([]);
    expect(filterOf({ ...search, from: "2026-11-22T09:00" }).from).toMatchObject({ seconds: BigInt(Date.parse("2026-11-22T08:00:00Z") / 1000) });
    expect(filterOf({ ...search, to: "nonsense" }).to).toBeUndefined();
  });
});
