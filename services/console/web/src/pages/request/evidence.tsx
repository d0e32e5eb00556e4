// What approvers have in front of them: each system's state, what could be lost, whether this was ever proven.

import { Link } from "wouter";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { capital, verdict } from "../../lib/words.ts";
import { Light, type Tone } from "../../ui/light.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { VERDICT_TONES } from "../requests/tones.ts";
import { Markers } from "./markers.tsx";
import { Now, useSeen } from "./now.tsx";
import { Scroll } from "../../ui/scroll.tsx";

/** For the dialogs: how each system is now, beside what could be lost as it was known when it was asked for. */
export function WhatIsAtStake({ request, tenant }: { request: RequestView; tenant: string }) {
  const members = request.opened?.evidence?.members ?? [];
  const seen = useSeen(tenant, members.map((member) => member.resource));
  if (members.length === 0) return <p>Nothing was recorded about what could be lost.</p>;
  return (
    <ul className="lines">
      {members.map((member) => (
        <li key={member.resource}>
          <strong>{member.resource}</strong> is now <Now seen={seen.get(member.resource)} />
          <p className="small">
            Seen {humane(milliseconds(member.age))} before it was asked for: {member.loss?.text || "nothing can be said about missing data."}
          </p>
        </li>
      ))}
    </ul>
  );
}

export function EvidencePanel({ request, tenant, open }: { request: RequestView; tenant: string; open: boolean }) {
  const evidence = request.opened?.evidence;
  // Once it has run, only what was known then counts.
  const seen = useSeen(tenant, open ? (evidence?.members.map((member) => member.resource) ?? []) : []);
  return (
    <details className="panel" open={open}>
      <summary>
        <h2>Evidence when it was asked for</h2>
      </summary>
      <div className="body">
        {!evidence ? (
          <p className="text-unknown">Nothing was recorded.</p>
        ) : (
          <>
            <p className="small quiet">
              Taken <Moment at={evidence.takenAt} />. What is true is checked again before the first step.
            </p>
            <Scroll label="Evidence">
              <table className="cards">
                <thead>
                  <tr>
                    <th>Resource</th>
                    {open && <th>Now</th>}
                    <th>When asked</th>
                    <th>What could be missing</th>
                    <th>Look</th>
                  </tr>
                </thead>
                <tbody>
                  {evidence.members.map((member) => (
                    <tr key={member.resource}>
                      <td className="nowrap">
                        <Link href={`/t/${tenant}/resources/${member.resource}`}>{member.resource}</Link>
                      </td>
                      {open && (
                        <td className="nowrap" data-label="Now">
                          <Now seen={seen.get(member.resource)} />
                        </td>
                      )}
                      <td data-label="When asked">
                        <Light tone={toneOf(member.status)}>{capital(member.status || "unknown")}</Light>
                      </td>
                      <td data-label="What could be missing">{member.loss?.text || "Nothing can be said about missing data."}</td>
                      <td className="nowrap" data-label="Look">
                        {humane(milliseconds(member.age))} old
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
            <p>
              Preflight:{" "}
              {evidence.preflightId ? <Light tone={VERDICT_TONES[evidence.verdict]}>{verdict(evidence.verdict)}</Light> : <span className="quiet">none was made before</span>}
            </p>
            <div>
              <h3>Earlier tests and runs of this plan</h3>
              {evidence.pastTests.length === 0 ? (
                <p className="text-unknown">None: this plan was never proven as it is.</p>
              ) : (
                <ul className="lines">
                  {evidence.pastTests.map((test) => (
                    <li key={test.requestId}>
                      <Light tone={test.passed ? "green" : "red"}>{test.passed ? "passed" : "failed"}</Light>{" "}
                      <Link href={`/t/${tenant}/requests/${test.requestId}`}>{test.type}</Link>, <Ago at={test.at} />, RTO {humane(milliseconds(test.rtoMeasured))}{" "}
                      <span className="quiet">{test.reason}</span>
                    </li>
                  ))}
                </ul>
              )}
            </div>
            <Markers title="Markers" sets={[["when asked", evidence.markers]]} />
          </>
        )}
      </div>
    </details>
  );
}

function toneOf(status: string): Tone {
  return status === "green" || status === "yellow" || status === "red" ? status : "unknown";
}
