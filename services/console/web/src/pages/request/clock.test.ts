import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { ExecutionState, ExecutionViewSchema } from "../../gen/muster/execution/v1/execution_pb.ts";
import { clockOf, share } from "./clock.ts";
import { RequestState, RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { newer, stateNow } from "./data.ts";

const BEGUN = 1_790_000_000_000;
const started = { confirmedAt: timestampFromMs(BEGUN), rtoTarget: durationFromMs(120_000) };

describe("the clock of a run", () => {
  it("counts from the confirmation while it runs", () => {
    const run = create(ExecutionViewSchema, { state: ExecutionState.RUNNING, started });
    expect(clockOf(run, BEGUN + 30_000)).toEqual({ elapsed: 30_000, target: 120_000, over: false, running: true });
    expect(clockOf(run, BEGUN + 121_000).over).toBe(true);
    expect(share(clockOf(run, BEGUN + 60_000))).toBe(0.5);
  });

  it("stands still at what was measured once it ended", () => {
    const run = create(ExecutionViewSchema, { state: ExecutionState.SUCCEEDED, started, succeeded: { rtoMeasured: durationFromMs(42_000), finishedAt: timestampFromMs(BEGUN + 50_000) } });
    expect(clockOf(run, BEGUN + 900_000).elapsed).toBe(42_000);
  });

  it("is not known for a run that never said when it began", () => {
    expect(clockOf(create(ExecutionViewSchema, { state: ExecutionState.RUNNING }), BEGUN).elapsed).toBeUndefined();
  });
});

describe("two answers about one run", () => {
  it("an older one never takes back what was seen", () => {
    const [old, young] = [create(ExecutionViewSchema, { version: 4n }), create(ExecutionViewSchema, { version: 9n })];
    expect(newer(old, young)).toBe(young);
    expect(newer(young, old)).toBe(young);
    expect(newer(undefined, old)).toBe(old);
  });
});

describe("the state that is shown", () => {
  it("is the run's own as soon as there is one", () => {
    const confirmed = (execution?: { state: ExecutionState }) => create(RequestViewSchema, { state: RequestState.CONFIRMED, execution });
    expect(stateNow(confirmed())).toBe(RequestState.CONFIRMED);
    expect(stateNow(confirmed({ state: ExecutionState.RUNNING }))).toBe(RequestState.EXECUTING);
    expect(stateNow(confirmed({ state: ExecutionState.FAILED }))).toBe(RequestState.FAILED);
  });
});
