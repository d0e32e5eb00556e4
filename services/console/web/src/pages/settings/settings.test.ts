import { describe, expect, it } from "vitest";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { lineAt, offsetOf, placed } from "./faults.ts";
import { BEGINNINGS, KINDS } from "./kinds.ts";

describe("the faults of a manifest", () => {
  it("are found in its text by line and column", () => {
    expect(placed({ place: "document 1, line 7, column 9: spec.rpo", text: "a duration" })).toEqual({ line: 7, column: 9, field: "spec.rpo", text: "a duration" });
    expect(placed({ place: "document 2, line 3, column 1", text: "no" })).toEqual({ line: 3, column: 1, field: "", text: "no" });
    expect(placed({ place: "manifest", text: "and 3 more faults" })).toEqual({ field: "", text: "and 3 more faults" });
    expect(placed({ place: "document 1: metadata.name", text: "no" })).toEqual({ field: "metadata.name", text: "no" });
    expect(placed({ place: "spec.rpo", text: "no" })).toEqual({ field: "spec.rpo", text: "no" });
  });

  it("lead to the place, also past the end of a line or of the text", () => {
    const text = "kind: Site\nmetadata:\n  name: fra\n";
    expect(text.slice(offsetOf(text, 3, 9))).toBe("fra\n");
    expect(offsetOf(text, 1, 99)).toBe(10);
    expect(offsetOf(text, 99)).toBe(text.length);
    expect(text.slice(...lineAt(text, 2))).toBe("metadata:");
    expect(text.slice(...lineAt("kind: Site", 1))).toBe("kind: Site");
  });
});

describe("kinds of documents", () => {
  it("are all there, each with a place where its editor begins", () => {
    const known = Object.values(Kind).filter((value) => typeof value === "number" && value !== Kind.UNSPECIFIED);
    expect([...known].sort()).toEqual(KINDS.map(({ kind }) => kind).sort());
    for (const { name } of KINDS) if (name !== "Tenant") expect(BEGINNINGS[name]).toMatch(new RegExp(`^kind: ${name}\n`));
  });
});
