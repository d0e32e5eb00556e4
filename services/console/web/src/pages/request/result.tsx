// What came of a run: how long it took, what may be missing, where each system is now.

import type { MemberOutcome } from "../../gen/muster/execution/v1/execution_pb.ts";
import type { LossStatement } from "../../gen/muster/common/v1/common_pb.ts";
import { useLocation } from "wouter";
import { approval, executor } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { RequestType, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { humane, milliseconds } from "../../lib/time.ts";
import { bytes, movesNothing } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Moment } from "../../ui/time.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { perSystem } from "./known.ts";

export function Result({ here, request }: { here: Here; request: RequestView }) {
  const run = request.execution;
  if (!run) return null;
  const { succeeded, failed, stopped } = run;
  const members = (succeeded ?? failed ?? stopped)?.members ?? [];
  return (
    <section id="result" className="stack" aria-label="Result" tabIndex={-1}>
      {succeeded && (
        <div className={`notice ${succeeded.rtoMet || movesNothing(request.opened?.type) ? "green" : "yellow"}`}>
          {movesNothing(request.opened?.type) ? (
            <p>
              <strong>Everything that was asked for was done, in {humane(milliseconds(succeeded.rtoMeasured))}.</strong> Nothing was moved or copied: this proves neither the RTO nor the RPO.
            </p>
          ) : (
            <p className="big">
              RTO {humane(milliseconds(succeeded.rtoMeasured))}{" "}
              <span className="result-target">
                measured, target {humane(milliseconds(run.started?.rtoTarget))}: {succeeded.rtoMet ? "met" : "not met"}
              </span>
            </p>
          )}
          {succeeded.writeOutage && (
            <p>
              No writes for {humane(milliseconds(succeeded.writeOutage))}
              {request.opened?.type === RequestType.FAILOVER && " at the most: since the old primary was seen last"}.
            </p>
          )}
          {succeeded.tolerated.length > 0 && <p>Steps that failed and were passed over: {succeeded.tolerated.join(", ")}.</p>}
          {!movesNothing(request.opened?.type) && <Loss loss={succeeded.loss} />}
        </div>
      )}
      {failed && (
        <div className="notice red">
          <p>
            <strong>Failed{failed.step ? ` in step ${failed.step}` : " in the checks before the first step"}.</strong> {failed.error}
          </p>
          <NextAndKnown guidance={failed.guidance} known={failed.knownState} members={members} />
          <Loss loss={failed.loss} />
        </div>
      )}
      {stopped && (
        <div className="notice yellow">
          <p>
            <strong>Stopped{stopped.beforeStep ? ` before ${stopped.beforeStep}` : ""}.</strong> {stopped.reason}
          </p>
          <NextAndKnown guidance={stopped.guidance} known={stopped.knownState} members={members} />
          <Loss loss={stopped.loss} />
        </div>
      )}
      <Afterwards here={here} request={request} />
      {members.length > 1 && <Members members={members} />}
      {run.copies.map((copy) => (
        <div key={copy.resource} className="notice">
          <p>
            <strong>Copy of {copy.resource}</strong> from {copy.source}: answered after {humane(milliseconds(copy.restoreTime))}; newest data <Moment at={copy.newestDataAt} />, loss window{" "}
            {humane(milliseconds(copy.lossWindow))}, {bytes(copy.bytes)}.
          </p>
          <p className="small quiet">Removed again: {copy.teardown.length} checks that nothing is left.</p>
        </div>
      ))}
    </section>
  );
}

/** What to do comes first: what is known of several systems fills a phone. */
function NextAndKnown({ guidance, known, members }: { guidance: string; known: string; members: MemberOutcome[] }) {
  const systems = members.map(({ resource }) => resource);
  return (
    <>
      <p>
        <strong>What to do:</strong> {guidance || "look at the systems first"}
      </p>
      <p>
        <strong>What is known:</strong> {!known && "nothing"}
      </p>
      {perSystem(known, systems).map((line) => (
        <p key={line}>{line}</p>
      ))}
    </>
  );
}

/** A drill and a way back leave nothing that could be taken back. */
const CAN_BE_TAKEN_BACK = new Set([RequestType.SWITCHOVER, RequestType.FAILOVER, RequestType.ROTATION]);

/** What is left to do once a run has ended: looking at the system after a failover, or taking the run back. */
function Afterwards({ here, request }: { here: Here; request: RequestView }) {
  const [, go] = useLocation();
  const opened = request.opened;
  if (!opened) return null;
  const { tenant } = here;
  const cools = opened.type === RequestType.FAILOVER && here.may("ExecutorService/AcknowledgeCoolDown");
  const moved = CAN_BE_TAKEN_BACK.has(opened.type) && here.roles.includes(Role.OPERATOR);
  if (!cools && !moved) return null;
  const scope = opened.group ? { group: opened.group } : { resource: opened.resource };
  return (
    <div className="actions">
      {cools && (
        <AskButton
          label="Acknowledge the cool-down"
          title="A person has looked"
          confirm="Acknowledge"
          text={{ label: "What was seen", required: true, long: true }}
          act={(note, idempotencyKey) => executor.acknowledgeCoolDown({ tenant, resource: opened.group ? `group-${opened.group}` : opened.resource, note, idempotencyKey })}
        >
          <p>After a failover nothing moves this system again until a person has looked at it.</p>
        </AskButton>
      )}
      {moved && (
        <AskButton
          label="Request to take it back"
          title="Request a rollback of this run"
          confirm="Open the request"
          text={{ label: "Reason", required: true, long: true }}
          act={async (reason, idempotencyKey) => {
            const answer = await approval.openRequest({ tenant, type: RequestType.ROLLBACK, ...scope, rollbackOf: request.requestId, reason, idempotencyKey });
            go(`/t/${tenant}/requests/${answer.request?.requestId}`);
          }}
        >
          <p>What this run did is taken back, newest first. It is a request like any other: approved, typed, checked.</p>
        </AskButton>
      )}
    </div>
  );
}

function Loss({ loss }: { loss: LossStatement | undefined }) {
  return (
    <div>
      <p className="statement">{loss?.text || "Nothing can be said about missing data."}</p>
      {loss?.limits.map((limit) => (
        <p key={limit} className="small quiet">
          {limit}
        </p>
      ))}
    </div>
  );
}

function Members({ members }: { members: MemberOutcome[] }) {
  return (
    <Scroll label="Systems" className="panel">
      <table>
        <thead>
          <tr>
            <th>System</th>
            <th>Runs on</th>
            <th>Moved</th>
            <th>Protected</th>
            <th>RTO</th>
            <th>What could be missing</th>
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <tr key={member.resource}>
              <td>
                <strong>{member.resource}</strong>
              </td>
              <td>{member.site || <span className="text-unknown">not known</span>}</td>
              <td>{member.moved ? "yes" : "no"}</td>
              <td>
                <Light tone={member.protected ? "green" : "red"}>{member.protected ? "yes" : "no"}</Light>
              </td>
              <td className="nowrap">{humane(milliseconds(member.rtoMeasured))}</td>
              <td>{member.loss?.text || "Nothing can be said."}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
