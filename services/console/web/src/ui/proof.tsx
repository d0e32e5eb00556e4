import { ProofState, type PlanView } from "../gen/muster/plan/v1/plan_pb.ts";
import { proofState } from "../lib/words.ts";
import { Light, type Tone } from "./light.tsx";

export const PROOF_TONES: Record<ProofState, Tone> = {
  [ProofState.PROVEN]: "green",
  [ProofState.STALE]: "yellow",
  [ProofState.FAILED]: "red",
  [ProofState.UNTESTED]: "unknown",
  [ProofState.UNSPECIFIED]: "unknown",
};

/** Whether a plan is proven, as a light with its word. */
export function ProofLight({ plan }: { plan: PlanView | undefined }) {
  if (!plan) return <Light tone="neutral">no plan</Light>;
  return <Light tone={PROOF_TONES[plan.proof]}>{plan.proof === ProofState.STALE ? "proof lapsed" : proofState(plan.proof)}</Light>;
}
