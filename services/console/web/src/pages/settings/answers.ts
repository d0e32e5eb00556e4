// What a draft of a policy would change: each answer to "who must approve?" beside the one that holds now.

import type { ExplainPolicyResponse } from "../../gen/muster/request/v1/approval_service_pb.ts";
import { gateLevel } from "../../lib/words.ts";

type Told = Pick<ExplainPolicyResponse, "text" | "requireTicket" | "freeze" | "gate">;

/** What is otherwise now, a sentence each. Empty: the draft changes nothing of it. */
export function otherwiseNow(now: Told, then: Told): string[] {
  const said: string[] = [];
  if (now.text !== then.text) said.push(`Now: ${now.text || "nobody"}.`);
  if (now.requireTicket !== then.requireTicket) said.push(now.requireTicket ? "Now a ticket is needed." : "Now a ticket is optional.");
  if (now.freeze !== then.freeze) said.push(now.freeze ? `Now held up by a change freeze: ${now.freeze}.` : "Now held up by no change freeze.");
  if (now.gate !== then.gate) said.push(`Now gate ${gateLevel(now.gate)}.`);
  return said;
}
