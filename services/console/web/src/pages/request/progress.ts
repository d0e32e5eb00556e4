// Where a run is, in one line that stays in sight: the list of steps is longer than a phone.

import { type ExecutionView, StepState, type StepView } from "../../gen/muster/execution/v1/execution_pb.ts";

const UNDER_WAY: ReadonlySet<StepState> = new Set([StepState.RUNNING, StepState.WAITING]);

export function progressOf(run: ExecutionView): string {
  const group = (run.started?.members.length ?? 0) > 1;
  if (run.undo) return among(run.undoSteps, group, "Taking back, step", "Everything that could be taken back is");
  const begun = run.steps.some(({ state }) => state !== StepState.PENDING);
  if (!begun && run.prechecks.length === 0) return "Checks before the first step";
  return among(run.steps, group, "Step", "Every step is done: the checks after them");
}

function among(steps: readonly StepView[], group: boolean, step: string, done: string): string {
  const total = steps.length;
  // Steps of several systems are told apart by the system.
  const titleOf = ({ step }: StepView) => (group && step?.resource ? `${step.resource}: ${step.title}` : (step?.title ?? ""));
  const named = (views: readonly StepView[]) => views.map(titleOf).join("; ");
  const under = steps.filter(({ state }) => UNDER_WAY.has(state));
  const first = under[0] ?? steps.find(({ state }) => state === StepState.PENDING);
  if (!first) return total === 0 ? "" : done;
  const at = `${step} ${steps.indexOf(first) + 1} of ${total}`;
  return under.length > 0 ? `${at}: ${named(under)}` : `${at} is next: ${named([first])}`;
}
