// The steps of a plan in their order, and what the linter says about them.

import { type Lint, LintSeverity, type Phase } from "../../gen/muster/plan/v1/plan_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { Light, type Tone } from "../../ui/light.tsx";
import { Empty } from "../../ui/states.tsx";
import { actionInWords, columns } from "./graph.ts";
import "./plans.css";

export function Graph({ phases, findings }: { phases: readonly Phase[]; findings: readonly Lint[] }) {
  const found = columns(phases);
  if (found.length === 0) return <Empty title="The plan has no steps" />;
  return (
    <ol className="graph" aria-label="Phases, one after the other">
      {found.map((column) => (
        <li key={column.phase} className="phase">
          <h2>{column.title}</h2>
          <ol>
            {column.ranks.map((rank, index) => (
              <li key={index} className="rank">
                {rank.map((step) => (
                  <article key={step.id} className="step" aria-label={step.id}>
                    <strong>{step.title || step.id}</strong>
                    <p className="small">{actionInWords(step)}</p>
                    <p className="small quiet">
                      <code>{step.id}</code>
                      {step.timeout && ` · at most ${humane(milliseconds(step.timeout))}`}
                      {step.owner && ` · ${step.owner}`}
                      {step.onlyFor.length > 0 && ` · only for ${step.onlyFor.join(", ")}`}
                    </p>
                    {step.after.length > 0 && <p className="small quiet">after {step.after.join(", ")}</p>}
                    {findings
                      .filter((finding) => finding.step === step.id)
                      .map((finding) => (
                        <p key={finding.code} className="small">
                          <Light tone={LINT_TONES[finding.severity]}>{finding.code}</Light> {finding.text}
                        </p>
                      ))}
                  </article>
                ))}
              </li>
            ))}
          </ol>
        </li>
      ))}
    </ol>
  );
}

const LINT_TONES: Record<LintSeverity, Tone> = {
  [LintSeverity.UNSPECIFIED]: "unknown",
  [LintSeverity.INFO]: "neutral",
  [LintSeverity.WARNING]: "yellow",
  [LintSeverity.ERROR]: "red",
};

export function Findings({ findings }: { findings: readonly Lint[] }) {
  if (findings.length === 0) return <p className="quiet">The linter found nothing.</p>;
  return (
    <ul className="lines">
      {[...findings]
        .sort((a, b) => b.severity - a.severity)
        .map((finding, index) => (
          <li key={index}>
            <Light tone={LINT_TONES[finding.severity]}>{finding.code}</Light> {finding.step && <code>{finding.step}</code>} {finding.text}
            {finding.nextAction && <p className="small">What to do: {finding.nextAction}</p>}
          </li>
        ))}
    </ul>
  );
}
