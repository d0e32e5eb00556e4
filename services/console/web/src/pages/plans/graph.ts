// The order of a plan's steps as columns: phases one after the other, and in a phase what waits for nothing first.

import type { Phase, PlanStep } from "../../gen/muster/plan/v1/plan_pb.ts";

export interface Column {
  phase: string;
  title: string;
  /** Steps that can run side by side, in ranks that follow each other. */
  ranks: PlanStep[][];
}

export function columns(phases: readonly Phase[]): Column[] {
  return phases.map((phase) => ({ phase: phase.name, title: phase.title || phase.name, ranks: ranks(phase.steps) }));
}

function ranks(steps: readonly PlanStep[]): PlanStep[][] {
  const inside = new Set(steps.map((step) => step.id));
  const done = new Set<string>();
  const found: PlanStep[][] = [];
  let left = [...steps];
  while (left.length > 0) {
    const ready = left.filter((step) => step.after.every((id) => !inside.has(id) || done.has(id)));
    // A circle: the linter says so; here it is shown as it stands.
    const rank = ready.length > 0 ? ready : left;
    found.push(rank);
    for (const step of rank) done.add(step.id);
    left = left.filter((step) => !rank.includes(step));
  }
  return found;
}

export function actionInWords(step: PlanStep): string {
  const kind = step.action?.kind;
  switch (kind?.case) {
    case "move":
      return `Moves ${kind.value.resource}`;
    case "wait":
      return "Waits until something holds";
    case "http":
      return `${kind.value.method || "GET"} ${kind.value.url}`;
    case "dns":
      return `DNS ${kind.value.name} ${kind.value.type}: ${kind.value.toValues.join(", ")}`;
    case "command":
      return `Command ${kind.value.name}`;
    case "notify":
      return `Message: ${kind.value.text}`;
    case "manual":
      return `A person: ${kind.value.instructions}`;
    default:
      return "No action";
  }
}
