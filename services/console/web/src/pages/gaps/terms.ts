// What can be done about a gap, and why not. The API decides; this only says it beforehand (docs/gaps.md).

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Gap, GapState, Severity } from "../../gen/muster/audit/v1/gap_pb.ts";
import type { ExecutionView } from "../../gen/muster/execution/v1/execution_pb.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { instant } from "../../lib/time.ts";
import { capital, gapState } from "../../lib/words.ts";
import type { Tone } from "../../ui/light.tsx";

const FROM_A_RUN: ReadonlySet<string> = new Set(["drill failed", "run failed", "objective missed"]);
const DAY_MS = 86_400_000;
/** As the API has them: a promise goes two years ahead at most, an acceptance one. */
export const LONGEST_PLAN_DAYS = 731;
export const LONGEST_ACCEPTANCE_DAYS = 366;

/** What a run showed, only a later run can take back. */
export const needsEvidence = (gap: Gap): boolean => FROM_A_RUN.has(gap.opened?.source ?? "");

/** Why this person neither closes nor accepts it; null when they can. */
export function cannotEnd(gap: Gap, me: string): string | null {
  if (gap.state === GapState.CLOSED) return "It is closed.";
  const own = gap.opened?.severity === Severity.HIGH && gap.opened.openedBy?.id === me;
  return own ? "You opened it and its severity is high: somebody else closes or accepts it." : null;
}

export const cannotPlan = (gap: Gap): string | null => (gap.state === GapState.CLOSED ? "It is closed. Open it again first." : null);
export const cannotReopen = (gap: Gap): string | null => (gap.state === GapState.OPEN ? "It is open." : null);

/** What is wrong with a date of a dialog; null when it will do. */
export function dateHold(field: string, longestDays: number, now: number): string | null {
  const at = field ? new Date(field).getTime() : Number.NaN;
  if (Number.isNaN(at)) return "A date is needed.";
  if (at <= now) return "The date is in the past.";
  return at > now + longestDays * DAY_MS ? `The date is more than ${longestDays} days away.` : null;
}

/** The runs that can show that it is mended: of the same kind, succeeded, begun after the one that showed it had ended. */
export function evidenceFor(shownBy: RequestView | undefined, runs: readonly RequestView[]): RequestView[] {
  const before = shownBy && endOf(shownBy.execution);
  if (!shownBy || before === undefined) return [];
  return runs.filter(({ state, opened, execution }) => {
    const began = instant(execution?.started?.startedAt);
    return state === RequestState.SUCCEEDED && opened?.type === shownBy.opened?.type && began !== undefined && began > before;
  });
}

function endOf(run: ExecutionView | undefined): number | undefined {
  const end: { finishedAt?: Timestamp } | undefined = run?.succeeded ?? run?.failed ?? run?.stopped;
  return instant(end?.finishedAt);
}

const TONES: Record<Severity, Tone> = { [Severity.UNSPECIFIED]: "unknown", [Severity.LOW]: "neutral", [Severity.MODERATE]: "yellow", [Severity.HIGH]: "red" };

/** How it stands, in one word and its tone. */
export function standing(gap: Gap): { word: string; tone: Tone } {
  if (gap.overdue) return { word: "Overdue", tone: "red" };
  if (gap.state === GapState.CLOSED) return { word: "Closed", tone: "green" };
  if (gap.state === GapState.PLANNED) return { word: "Planned", tone: "active" };
  if (gap.state === GapState.ACCEPTED) return { word: "Accepted", tone: "neutral" };
  return { word: capital(gapState(gap.state)), tone: TONES[gap.opened?.severity ?? Severity.UNSPECIFIED] };
}
