import { RequestState } from "../../gen/muster/request/v1/request_pb.ts";
import { CheckOutcome, StepState, Verdict } from "../../gen/muster/execution/v1/execution_pb.ts";
import type { Tone } from "../../ui/light.tsx";

export function stateTone(state: RequestState): Tone {
  switch (state) {
    case RequestState.SUCCEEDED:
      return "green";
    case RequestState.FAILED:
      return "red";
    case RequestState.STOPPED:
      return "yellow";
    case RequestState.CONFIRMED:
    case RequestState.EXECUTING:
      return "active";
    case RequestState.PENDING_APPROVAL:
    case RequestState.APPROVED:
      return "active";
    default:
      return "neutral";
  }
}

export const STEP_TONES: Record<StepState, Tone> = {
  [StepState.UNSPECIFIED]: "unknown",
  [StepState.PENDING]: "neutral",
  [StepState.RUNNING]: "active",
  [StepState.SUCCEEDED]: "green",
  [StepState.FAILED]: "red",
  [StepState.TOLERATED]: "yellow",
  [StepState.UNDONE]: "yellow",
  [StepState.WAITING]: "yellow",
};

export const CHECK_TONES: Record<CheckOutcome, Tone> = {
  [CheckOutcome.UNSPECIFIED]: "unknown",
  [CheckOutcome.PASSED]: "green",
  [CheckOutcome.FAILED]: "red",
  [CheckOutcome.WARNING]: "yellow",
  [CheckOutcome.UNKNOWN]: "unknown",
};

export const VERDICT_TONES: Record<Verdict, Tone> = {
  [Verdict.UNSPECIFIED]: "unknown",
  [Verdict.GO]: "green",
  [Verdict.CAUTION]: "yellow",
  [Verdict.NO_GO]: "red",
};
