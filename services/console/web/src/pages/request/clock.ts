// The clock of a run against its target.

import { ExecutionState, type ExecutionView } from "../../gen/muster/execution/v1/execution_pb.ts";
import { instant, milliseconds } from "../../lib/time.ts";

export interface RunClock {
  /** Since the confirmation; the measured time once it has ended well. */
  elapsed: number | undefined;
  target: number | undefined;
  over: boolean;
  running: boolean;
}

export function clockOf(run: ExecutionView, now: number): RunClock {
  const begun = instant(run.started?.confirmedAt) ?? instant(run.started?.startedAt);
  const target = milliseconds(run.started?.rtoTarget);
  const running = run.state === ExecutionState.RUNNING;
  const finished = instant((run.failed ?? run.stopped ?? run.succeeded)?.finishedAt);
  const end = running ? now : finished;
  const passed = begun === undefined || end === undefined ? undefined : Math.max(0, end - begun);
  const elapsed = milliseconds(run.succeeded?.rtoMeasured) ?? passed;
  // A target of zero is no target.
  const limit = target === 0 ? undefined : target;
  return { elapsed, target: limit, over: elapsed !== undefined && limit !== undefined && elapsed > limit, running };
}

export function share({ elapsed, target }: RunClock): number {
  return elapsed === undefined || target === undefined ? 0 : Math.min(1, elapsed / target);
}
