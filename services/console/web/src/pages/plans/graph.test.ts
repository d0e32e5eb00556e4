import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PhaseSchema } from "../../gen/muster/plan/v1/plan_pb.ts";
import { columns } from "./graph.ts";

function phase(name: string, steps: Record<string, string[]>) {
  return create(PhaseSchema, { name, steps: Object.entries(steps).map(([id, after]) => ({ id, after })) });
}

const ids = (found: ReturnType<typeof columns>) => found.map((column) => column.ranks.map((rank) => rank.map((step) => step.id)));

describe("the graph of a plan", () => {
  it("puts what waits for nothing side by side, and the rest behind", () => {
    const found = columns([phase("move", { "move-orders": [], "move-catalog": ["move-orders"], "tell-people": [] })]);
    expect(ids(found)).toEqual([[["move-orders", "tell-people"], ["move-catalog"]]]);
  });

  it("does not wait inside a phase for steps of another one", () => {
    expect(ids(columns([phase("a", { first: [] }), phase("b", { second: ["first"] })]))).toEqual([[["first"]], [["second"]]]);
  });

  it("shows a circle rather than hanging", () => {
    expect(ids(columns([phase("a", { one: ["two"], two: ["one"] })]))).toEqual([[["one", "two"]]]);
  });
});
