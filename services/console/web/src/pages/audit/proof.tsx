// The proof check of one event, made in this browser.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { audit } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { AuditRecord } from "../../gen/muster/audit/v1/audit_pb.ts";
import { save } from "../../lib/save.ts";
import { Light, type Tone } from "../../ui/light.tsx";
import { TroubleNotice } from "../../ui/states.tsx";
import { check, type Finding, verdictOf } from "./check.ts";

const TONES: Record<Finding["state"], Tone> = { good: "green", bad: "red", unknown: "unknown" };
const WORDS: Record<Finding["state"], string> = { good: "good", bad: "not good", unknown: "not checked" };
const VERDICTS: Record<Finding["state"], string> = {
  good: "This event is what was logged, and where it was logged.",
  bad: "This does not agree. Keep what you see, do not change anything, and tell your auditor.",
  unknown: "Not everything could be checked here.",
};

export function ProofCheck({ record }: { record: AuditRecord }) {
  const [given, setGiven] = useState("");
  const proving = useMutation({
    mutationFn: async () => {
      const [log, { proof }] = await Promise.all([audit.getLog({ tenant: record.tenant }), audit.proveEvent({ tenant: record.tenant, eventId: record.eventId })]);
      return { proof, handed: given.trim() !== "", checked: await check(record, proof, log.policy, given) };
    },
  });
  const found = proving.data?.checked;
  const verdict = found && verdictOf(found.findings);
  return (
    <section className="stack" aria-label="Proof">
      <form
        className="fields"
        onSubmit={(event) => {
          event.preventDefault();
          proving.mutate();
        }}
      >
        <label className="field wide">
          Verifier key you were given (optional)
          <input value={given} spellCheck={false} autoComplete="off" onChange={(event) => setGiven(event.target.value)} placeholder="origin+id+base64" />
        </label>
        <button className="button" disabled={proving.isPending}>
          {proving.isPending ? "Checking" : "Check the proof"}
        </button>
      </form>
      {proving.error && <TroubleNotice trouble={troubleOf(proving.error)} retry={() => proving.mutate()} />}
      {found && verdict && (
        <div className={`notice ${TONES[verdict]}`} role="status">
          <p>
            <strong>{VERDICTS[verdict]}</strong> {verdict === "good" && !proving.data?.handed && "Whether it is the log that you know, its key says: compare it with the one that you were given."}
          </p>
          <ul>
            {found.findings.map(({ what, state, text }) => (
              <li key={what}>
                <Light tone={TONES[state]}>
                  {what}: {WORDS[state]}
                </Light>
                <p className="small breakable">{text}</p>
              </li>
            ))}
          </ul>
          {found.place && (
            <p className="small breakable">
              Computed in this browser from the files of the log. Root <code>{found.place.root}</code> of {String(found.place.size)} leaves
              {found.place.key && (
                <>
                  , key <code>{found.place.key}</code>
                </>
              )}
              . The text of the event below is as the server reads it; <code>muster audit verify</code> also reads the stored bytes themselves.
            </p>
          )}
          <button type="button" className="button small-button" onClick={() => save(new Blob([new Uint8Array(proving.data?.proof ?? [])], { type: "text/plain" }), `seq-${record.sequence}.tlog-proof`)}>
            Keep the proof as a file
          </button>
        </div>
      )}
    </section>
  );
}
