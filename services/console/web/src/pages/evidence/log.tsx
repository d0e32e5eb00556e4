// The log that makes the record provable: how far it is witnessed, by whom, under which key.

import { useQuery } from "@tanstack/react-query";
import { audit } from "../../api/clients.ts";
import type { GetLogResponse } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { Light } from "../../ui/light.tsx";
import { Answer } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { sizeOf } from "./checkpoint.ts";

export function useLog(tenant: string) {
  return useQuery({ queryKey: ["log", tenant], queryFn: () => audit.getLog({ tenant }), refetchInterval: 10_000 });
}

export function LogPanel({ tenant }: { tenant: string }) {
  const log = useLog(tenant);
  return (
    <section className="panel" aria-label="Transparency log">
      <header>
        <h2>Transparency log</h2>
        <span className="quiet small">what makes the record provable</span>
      </header>
      <div className="body">
        <Answer query={log} what="the log" rows={2}>
          {(found) => <Log log={found} />}
        </Answer>
      </div>
    </section>
  );
}

function Log({ log }: { log: GetLogResponse }) {
  const witnessed = sizeOf(log.checkpoint);
  return (
    <>
      {log.stopped && (
        <p className="notice red">
          <strong>It has stopped:</strong> {log.stopped}
        </p>
      )}
      <dl className="facts">
        <dt>Witnessed</dt>
        <dd>{witnessed === undefined ? <span className="text-unknown">nothing yet</span> : `${witnessed} entries`}</dd>
        <dt>Newest event</dt>
        <dd>number {String(log.streamSequence)}</dd>
        <dt>Log</dt>
        <dd>
          <code>{log.origin}</code>, epoch {log.epoch}
        </dd>
        <dt>{log.verifierKeys.length > 1 ? "Keys" : "Key"}</dt>
        <dd>
          {log.verifierKeys.map((key) => (
            <p key={key}>
              <code>{key}</code>
            </p>
          ))}
        </dd>
      </dl>
      <h3>Witnesses</h3>
      {log.witnesses.length === 0 ? (
        <p className="text-unknown">None: only the log itself vouches for it.</p>
      ) : (
        <ul className="lines">
          {log.witnesses.map((witness) => (
            <li key={witness.name}>
              <Light tone={witness.problem ? "yellow" : "green"}>{witness.problem ? "Trouble" : "Good"}</Light> <strong>{witness.name}</strong>, {String(witness.size)} entries, <Ago at={witness.cosignedAt} />
              {witness.problem && <p className="small">{witness.problem}</p>}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
