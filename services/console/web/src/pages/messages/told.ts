// What became of a message, in words: the outcome as the far side said it, or why nobody was told.

import { type DeliveryView, DeliveryState } from "../../gen/muster/notification/v1/notification_pb.ts";
import { deliveryState } from "../../lib/words.ts";
import type { Tone } from "../../ui/light.tsx";

export const DELIVERY_TONES: Record<DeliveryState, Tone> = {
  [DeliveryState.UNSPECIFIED]: "unknown",
  [DeliveryState.PENDING]: "active",
  [DeliveryState.ACCEPTED]: "green",
  [DeliveryState.RETRYING]: "yellow",
  [DeliveryState.GAVE_UP]: "red",
  [DeliveryState.SUPPRESSED]: "neutral",
  [DeliveryState.HELD]: "neutral",
  [DeliveryState.GROUPED]: "neutral",
};

const WORDS: Partial<Record<DeliveryState, string>> = {
  // Nobody says that a person read it.
  [DeliveryState.ACCEPTED]: "delivered",
  [DeliveryState.GAVE_UP]: "not delivered",
  [DeliveryState.SUPPRESSED]: "not told",
  [DeliveryState.HELD]: "held back",
  [DeliveryState.GROUPED]: "told with others",
};

export const outcome = (state: DeliveryState): string => WORDS[state] ?? deliveryState(state);

/** Why it is not there: the rule that kept it back, or the last error. */
export function because(delivery: DeliveryView): string {
  const tries = delivery.attempts > 1 ? ` after ${delivery.attempts} attempts` : "";
  switch (delivery.state) {
    case DeliveryState.SUPPRESSED:
    case DeliveryState.HELD:
      return delivery.rule;
    case DeliveryState.RETRYING:
    case DeliveryState.GAVE_UP:
      return `${delivery.lastError || "no error was told"}${tries}`;
    case DeliveryState.ACCEPTED:
      return delivery.attempts > 1 ? `at attempt ${delivery.attempts}` : "";
    default:
      return "";
  }
}

/** "reminder 2", "test", as it stands beside the kind. */
export function marks(delivery: DeliveryView): string {
  return [delivery.test && "test", delivery.repetition > 0 && `reminder ${delivery.repetition}`].filter(Boolean).join(", ");
}
