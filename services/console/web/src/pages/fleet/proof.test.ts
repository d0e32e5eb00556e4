import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { DocumentSchema } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { PlanState, PlanViewSchema, ProofState } from "../../gen/muster/plan/v1/plan_pb.ts";
import { proofOf, proofs, provenAt } from "./proof.ts";

const plan = (name: string, init: MessageInitShape<typeof PlanViewSchema>) => create(PlanViewSchema, { name, ...init });
const test = (minute: number, passed: boolean) => ({ at: timestampFromMs(minute * 60_000), passed });

describe("the age of a plan's proof", () => {
  it("is that of its newest test that passed", () => {
    const tests = [test(3, false), test(2, true), test(1, true)];
    expect(provenAt(plan("a", { proof: ProofState.PROVEN, tests }))).toEqual(timestampFromMs(120_000));
    expect(provenAt(plan("a", { proof: ProofState.STALE, tests }))).toEqual(timestampFromMs(120_000));
  });

  it("is not told where nothing is proven", () => {
    expect(provenAt(plan("a", { proof: ProofState.FAILED, tests: [test(2, false), test(1, true)] }))).toBeUndefined();
    expect([provenAt(undefined), provenAt(plan("a", { proof: ProofState.UNTESTED }))]).toEqual([undefined, undefined]);
  });
});

describe("the plan of a resource", () => {
  it("is its own or its group's: a published one before a draft", () => {
    const shop = create(DocumentSchema, { name: "shop", spec: { case: "groupSpec", value: { members: [{ resource: "orders" }, { resource: "cart" }] } } });
    const draft = plan("own", { state: PlanState.DRAFT, spec: { scope: { case: "resource", value: "orders" } } });
    const published = plan("of-the-group", { state: PlanState.PUBLISHED, spec: { scope: { case: "group", value: "shop" } } });
    const found = proofs([draft, published], [shop]);
    expect([...found].map(([name, proof]) => [name, proof.plan?.name, proof.group])).toEqual([
      ["orders", "of-the-group", "shop"],
      ["cart", "of-the-group", "shop"],
    ]);
  });

  it("is absent only where every plan was looked at", () => {
    const found = proofs([plan("own", { spec: { scope: { case: "resource", value: "orders" } } })], []);
    expect(proofOf({ found, complete: false }, "orders")?.plan?.name).toBe("own");
    expect(proofOf({ found, complete: true }, "cart")).toEqual({ plan: undefined, group: undefined });
    expect(proofOf({ found, complete: false }, "cart")).toBeUndefined();
  });
});
