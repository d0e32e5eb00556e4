// Gates: how far each kind of request may go by itself. One admin proposes, an approver decides.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { approval } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import { GateLevel, type GateView } from "../../gen/muster/request/v1/request_pb.ts";
import { capital, gateLevel } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Answer } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";

const LEVELS: Record<GateLevel, string> = {
  [GateLevel.UNSPECIFIED]: "unknown",
  [GateLevel.L0]: "run and log",
  [GateLevel.L1]: "run and notify",
  [GateLevel.L2]: "wait for approval",
  [GateLevel.L3]: "people act, Muster advises",
};
const CHOICES = [GateLevel.L0, GateLevel.L1, GateLevel.L2, GateLevel.L3];

interface Gating {
  here: Here;
  gate: GateView;
  changed: () => Promise<unknown>;
}

export function GatesPart({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const key = ["gates", tenant];
  const gates = useQuery({ queryKey: key, queryFn: async () => (await approval.listGates({ tenant })).gates, refetchInterval: 15_000 });
  return (
    <>
      <p className="quiet">{CHOICES.map((level) => `${gateLevel(level)}: ${LEVELS[level]}`).join(" · ")}. Every run waits for a person to start it, whatever its gate.</p>
      <Answer query={gates} what="gates">
        {(found) => (
          <Scroll label="Gates" className="panel">
            <table className="cards">
              <thead>
                <tr>
                  <th>Request</th>
                  <th>Gate</th>
                  <th>Lowest allowed</th>
                  <th>Proposed</th>
                  <th>
                    <span className="visually-hidden">Change</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {found.map((gate) => (
                  <Row key={`${gate.requestType}/${gate.plan}`} here={here} gate={gate} changed={() => queries.invalidateQueries({ queryKey: key })} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Answer>
    </>
  );
}

function Row({ here, gate, changed }: Gating) {
  return (
    <tr>
      <td>
        {capital(gate.requestType.replaceAll("-", " "))}
        {gate.plan && <span className="quiet"> by plan {gate.plan}</span>}
      </td>
      <td>
        <strong>{gateLevel(gate.level)}</strong> {LEVELS[gate.level]}
        <br />
        <span className="small quiet">{gate.source}</span>
      </td>
      <td data-label="Lowest allowed">{gateLevel(gate.floor)}</td>
      <td data-label="Proposed">
        {gate.pending ? (
          <>
            <Light tone="yellow">
              {gateLevel(gate.pending.from)} to {gateLevel(gate.pending.to)}
            </Light>{" "}
            by {gate.pending.actor?.name}, <Ago at={gate.pending.proposedAt} />
            <p className="small">“{gate.pending.reason}”</p>
          </>
        ) : (
          <span className="quiet">nothing</span>
        )}
      </td>
      <td>{gate.pending ? <Decide here={here} gate={gate} changed={changed} /> : here.may("ApprovalService/ProposeGateChange") && <Propose here={here} gate={gate} changed={changed} />}</td>
    </tr>
  );
}

function Propose({ here, gate, changed }: Gating) {
  const others = CHOICES.filter((level) => level !== gate.level);
  const [to, setTo] = useState<GateLevel>(others.find((level) => level >= gate.floor) ?? GateLevel.L2);
  return (
    <AskButton
      label="Propose"
      title={`Another gate for ${gate.requestType}`}
      confirm="Propose"
      small
      text={{ label: "Reason", required: true, long: true }}
      act={(reason, idempotencyKey) => approval.proposeGateChange({ tenant: here.tenant, requestType: gate.requestType, plan: gate.plan, to, reason, idempotencyKey }).then(changed)}
    >
      <p>An approver decides; until then the gate stays as it is.</p>
      <label className="field">
        New gate
        <select value={to} onChange={(event) => setTo(Number(event.target.value))}>
          {others.map((level) => (
            <option key={level} value={level}>
              {gateLevel(level)}: {LEVELS[level]}
            </option>
          ))}
        </select>
      </label>
    </AskButton>
  );
}

function Decide({ here, gate, changed }: Gating) {
  const change = gate.pending;
  if (!change || !here.may("ApprovalService/DecideGateChange")) return null;
  const own = change.actor?.id === here.person.id ? "You proposed it yourself: somebody else decides." : null;
  const decide = (approve: boolean) => (note: string, idempotencyKey: string) =>
    approval.decideGateChange({ tenant: here.tenant, requestType: gate.requestType, plan: gate.plan, changeId: change.changeId, approve, note, idempotencyKey }).then(changed);
  const what = `${gate.requestType}: ${gateLevel(change.from)} to ${gateLevel(change.to)}`;
  return (
    <div className="actions">
      <AskButton label="Approve" title={`Approve ${what}`} confirm="Approve" small primary impossible={own} text={{ label: "Note (optional)", long: true }} act={decide(true)} />
      <AskButton label="Deny" title={`Deny ${what}`} confirm="Deny" small danger impossible={own} text={{ label: "Reason", required: true, long: true }} act={decide(false)} />
    </div>
  );
}
