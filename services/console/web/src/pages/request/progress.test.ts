import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ExecutionViewSchema, StepState } from "../../gen/muster/execution/v1/execution_pb.ts";
import { progressOf } from "./progress.ts";

const { SUCCEEDED, RUNNING, PENDING, WAITING, TOLERATED } = StepState;
const run = (states: StepState[], more: object = {}) =>
  create(ExecutionViewSchema, { prechecks: [{ name: "reachable" }], steps: states.map((state, index) => ({ state, step: { title: `do ${index + 1}` } })), ...more } as MessageInitShape<typeof ExecutionViewSchema>);

describe("where a run is", () => {
  it("is in the checks before anything begins", () => {
    expect(progressOf(run([PENDING, PENDING], { prechecks: [] }))).toBe("Checks before the first step");
    expect(progressOf(run([PENDING, PENDING]))).toBe("Step 1 of 2 is next: do 1");
  });

  it("is at the step under way, at each of several, and at what waits for a person", () => {
    expect(progressOf(run([SUCCEEDED, RUNNING, PENDING]))).toBe("Step 2 of 3: do 2");
    expect(progressOf(run([SUCCEEDED, RUNNING, RUNNING, PENDING]))).toBe("Step 2 of 4: do 2; do 3");
    expect(progressOf(run([TOLERATED, WAITING, PENDING]))).toBe("Step 2 of 3: do 2");
  });

  it("is between two steps, and behind the last", () => {
    expect(progressOf(run([SUCCEEDED, PENDING]))).toBe("Step 2 of 2 is next: do 2");
    expect(progressOf(run([SUCCEEDED, SUCCEEDED]))).toBe("Every step is done: the checks after them");
  });

  it("names the system where several move", () => {
    const steps = [{ state: RUNNING, step: { title: "Promote the target", resource: "orders-db" } }];
    const members = [{ resource: "orders-db" }, { resource: "catalog-db" }];
    expect(progressOf(run([], { steps, started: { members } }))).toBe("Step 1 of 1: orders-db: Promote the target");
    expect(progressOf(run([], { steps }))).toBe("Step 1 of 1: Promote the target");
  });

  it("is in taking back once that has begun", () => {
    expect(progressOf(run([SUCCEEDED], { undo: {}, undoSteps: [{ state: RUNNING, step: { title: "undo 1" } }] }))).toBe("Taking back, step 1 of 1: undo 1");
  });
});
