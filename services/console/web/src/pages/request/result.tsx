// What came of a run: how long it took, what may be missing, where each system is now.

import type { MemberOutcome } from "../../gen/muster/execution/v1/execution_pb.ts";
import type { LossStatement } from "../../gen/muster/common/v1/common_pb.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { bytes } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Moment } from "../../ui/time.tsx";

export function Result({ request }: { request: RequestView }) {
  const run = request.execution;
  if (!run) return null;
  const { succeeded, failed, stopped } = run;
  const members = (succeeded ?? failed ?? stopped)?.members ?? [];
  return (
    <section className="stack" aria-label="Result">
      {succeeded && (
        <div className={`notice ${succeeded.rtoMet ? "green" : "yellow"}`}>
          <p className="big">
            {humane(milliseconds(succeeded.rtoMeasured))}{" "}
            <span className="result-target">
              measured, target {humane(milliseconds(run.started?.rtoTarget))}: {succeeded.rtoMet ? "met" : "not met"}
            </span>
          </p>
          {succeeded.writeOutage && <p>No writes for {humane(milliseconds(succeeded.writeOutage))}.</p>}
          {succeeded.tolerated.length > 0 && <p>Steps that failed and were passed over: {succeeded.tolerated.join(", ")}.</p>}
          <Loss loss={succeeded.loss} />
        </div>
      )}
      {failed && (
        <div className="notice red">
          <p>
            <strong>Failed{failed.step ? ` in step ${failed.step}` : " in the checks before the first step"}.</strong> {failed.error}
          </p>
          <p>What is known: {failed.knownState || "nothing"}</p>
          <p>What to do: {failed.guidance || "look at the systems first"}</p>
          <Loss loss={failed.loss} />
        </div>
      )}
      {stopped && (
        <div className="notice yellow">
          <p>
            <strong>Stopped{stopped.beforeStep ? ` before ${stopped.beforeStep}` : ""}.</strong> {stopped.reason}
          </p>
          <p>What is known: {stopped.knownState || "nothing"}</p>
          <p>What to do: {stopped.guidance || "look at the systems first"}</p>
          <Loss loss={stopped.loss} />
        </div>
      )}
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
    <div className="panel scroll">
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
    </div>
  );
}
