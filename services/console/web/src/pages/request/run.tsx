// A run as it happens. Stop and pause are always in reach; what Muster is waiting for is said first.

import { executor } from "../../api/clients.ts";
import { type Here, ROLE_NAMES } from "../../api/person.ts";
import { type Check, ExecutionState, type ExecutionView, StepState, type StepView } from "../../gen/muster/execution/v1/execution_pb.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { useNow } from "../../lib/clock.ts";
import { humane, instant } from "../../lib/time.ts";
import { capital, checkOutcome, executionState, movesNothing, stepState } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light, type Tone } from "../../ui/light.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { CHECK_TONES, STEP_TONES } from "../requests/tones.ts";
import { clockOf, share } from "./clock.ts";
import { Markers } from "./markers.tsx";
import { progressOf } from "./progress.ts";
import { Scroll } from "../../ui/scroll.tsx";

interface Running {
  here: Here;
  request: RequestView;
  run: ExecutionView;
  changed: () => Promise<unknown>;
}

export function RunPanel({ here, request, run, changed }: Running) {
  const running = run.state === ExecutionState.RUNNING;
  return (
    <section className="panel run" aria-label="Run">
      <header className="run-head sticky">
        <h2>Run</h2>
        <Light tone={RUN_TONES[run.state]}>{capital(executionState(run.state))}</Light>
        {run.paused && running && <Light tone="yellow">Paused</Light>}
        {run.stopRequested && running && <Light tone="yellow">Stopping</Light>}
        <Clock run={run} measures={!movesNothing(request.opened?.type)} />
        <span className="grow" />
        {running && <Controls here={here} request={request} run={run} changed={changed} />}
        <p className="small progress">{running ? progressOf(run) : <Ended run={run} />}</p>
      </header>
      <div className="body">
        {run.paused && running && (
          <p className="notice yellow">
            Paused by {run.paused.actor?.name}, <Ago at={run.paused.requestedAt} />: {run.paused.reason || "no reason given"}. Steps under way come to their end; nothing new begins.
          </p>
        )}
        {running && <Manual here={here} request={request} run={run} changed={changed} />}
        <Steps views={run.steps} group={(run.started?.members.length ?? 0) > 1} />
        {run.undo && (
          <div>
            <h3>Taking back what was done</h3>
            <p className="small">
              Because of <code>{run.undo.becauseOfStep}</code>: {run.undo.reason}
            </p>
            <Steps views={run.undoSteps} group={(run.started?.members.length ?? 0) > 1} />
          </div>
        )}
        <Checks title="Checks before the first step" checks={run.prechecks} pending={running} />
        {run.postchecks.length > 0 && <Checks title="Checks after the last step" checks={run.postchecks} pending={false} />}
        <Notes here={here} request={request} run={run} changed={changed} />
        <details>
          <summary>Markers of this run</summary>
          <Markers
            title="Markers"
            sets={[
              ["before", run.markersBefore],
              ["after", run.markersAfter],
            ]}
            unavailable={run.markersUnavailable}
          />
        </details>
      </div>
    </section>
  );
}

/** Whoever looks at a step far down has the result above them, out of sight. */
function Ended({ run }: { run: ExecutionView }) {
  const { failed, stopped } = run;
  const step = failed?.step || stopped?.beforeStep;
  return (
    <>
      {failed ? "The run has failed" : stopped ? "The run was stopped" : "The run is over"}
      {step && ` ${failed ? "in" : "before"} ${step}`}: <a href="#result">{failed || stopped ? "what is known, and what to do" : "what came of it"}</a>
    </>
  );
}

const RUN_TONES: Record<ExecutionState, Tone> = {
  [ExecutionState.UNSPECIFIED]: "unknown",
  [ExecutionState.RUNNING]: "active",
  [ExecutionState.SUCCEEDED]: "green",
  [ExecutionState.FAILED]: "red",
  [ExecutionState.STOPPED]: "yellow",
};

/** `measures`: what it takes counts against the RTO. */
function Clock({ run, measures }: { run: ExecutionView; measures: boolean }) {
  const now = useNow();
  const clock = clockOf(run, now);
  const elapsed = clock.running && clock.elapsed !== undefined ? Math.floor(clock.elapsed / 1000) * 1000 : clock.elapsed;
  if (!measures) return <strong className="clock">{humane(elapsed)}</strong>;
  return (
    <div className="clock">
      <span>
        <strong className={clock.over ? "text-red" : ""}>{humane(elapsed)}</strong>
        <span className="quiet"> of {clock.target === undefined ? "no target" : `${humane(clock.target)} RTO`}</span>
        {clock.over && <strong className="text-red"> over</strong>}
      </span>
      {clock.target !== undefined && <progress value={share(clock)} max={1} aria-label="Time used of the RTO" />}
    </div>
  );
}

function Controls({ here, request, run, changed }: Running) {
  const names = { tenant: here.tenant, requestId: request.requestId };
  const after = () => changed();
  return (
    <div className="actions">
      {run.paused
        ? here.may("ExecutorService/ResumeExecution") && (
            <AskButton
              label="Resume"
              title="Resume the run"
              confirm="Resume"
              primary
              text={{ label: "Note (optional)", long: true }}
              act={(note, idempotencyKey) => executor.resumeExecution({ ...names, note, idempotencyKey }).then(after)}
            />
          )
        : here.may("ExecutorService/PauseExecution") && (
            <AskButton
              label="Pause"
              title="Pause before the next step"
              confirm="Pause"
              text={{ label: "Reason", required: true }}
              act={(reason, idempotencyKey) => executor.pauseExecution({ ...names, reason, idempotencyKey }).then(after)}
            >
              <p>Steps under way come to their end. Nothing new begins until somebody resumes. The RTO clock goes on.</p>
            </AskButton>
          )}
      {here.may("ExecutorService/StopExecution") && (
        <AskButton
          label="Stop"
          title="Stop before the next step"
          confirm="Stop the run"
          danger
          impossible={run.stopRequested ? `A stop was asked for by ${run.stopRequested.actor?.name}.` : null}
          text={{ label: "Reason", required: true }}
          act={(reason, idempotencyKey) => executor.stopExecution({ ...names, reason, idempotencyKey }).then(after)}
        >
          <p>Steps under way come to their end; no further step begins, and the run ends. What is known then is shown here.</p>
        </AskButton>
      )}
    </div>
  );
}

/** Manual steps: the run waits for a person. */
function Manual({ here, request, run, changed }: Running) {
  const waiting = run.steps.filter((view) => view.state === StepState.WAITING);
  return waiting.map(({ step }) => {
    const action = step?.definition?.action?.kind;
    const manual = action?.case === "manual" ? action.value : undefined;
    const role = manual?.role ?? Role.UNSPECIFIED;
    const mine = here.may("ExecutorService/DecideManualStep") && (role === Role.UNSPECIFIED || here.roles.includes(role));
    const decide = (done: boolean) => (note: string, idempotencyKey: string) =>
      executor.decideManualStep({ tenant: here.tenant, requestId: request.requestId, step: step?.id, done, note, idempotencyKey }).then(changed);
    return (
      <div key={step?.id} className="notice yellow">
        <p>
          <strong>The run waits for a person{role !== Role.UNSPECIFIED && ` (${ROLE_NAMES[role]})`}: {step?.title}</strong>
        </p>
        <p className="instructions">{manual?.instructions || step?.guidance}</p>
        {mine && (
          <div className="actions">
            <AskButton label="It is done" title={`Done: ${step?.title}`} confirm="It is done" primary text={{ label: "What was done", required: true, long: true }} act={decide(true)} />
            <AskButton label="It cannot be done" title={`Cannot be done: ${step?.title}`} confirm="It cannot be done" danger text={{ label: "Why", required: true, long: true }} act={decide(false)} />
          </div>
        )}
      </div>
    );
  });
}

function Steps({ views, group }: { views: StepView[]; group: boolean }) {
  return (
    <ol className="steps" aria-label="Steps">
      {views.map((view) => (
        <li key={view.step?.id} aria-current={view.state === StepState.RUNNING ? "step" : undefined}>
          <Light tone={STEP_TONES[view.state]}>{stepState(view.state)}</Light>
          <div>
            {group && view.step?.resource && <strong>{view.step.resource} </strong>}
            {view.step?.title}
            {view.step?.pointOfNoReturn && <span className="small quiet"> · no way back from here</span>}
            {view.attempts > 1 && <span className="small quiet"> · attempt {view.attempts}</span>}
            {view.note && <p className="small quiet">{view.note}</p>}
            {view.state === StepState.FAILED && view.step?.guidance && <p className="small">What to do: {view.step.guidance}</p>}
          </div>
          <span className="small quiet nowrap">
            <Taken view={view} />
          </span>
        </li>
      ))}
    </ol>
  );
}

function Taken({ view }: { view: StepView }) {
  const now = useNow();
  const begun = instant(view.startedAt);
  const ended = instant(view.finishedAt);
  if (begun === undefined) return null;
  if (view.state === StepState.RUNNING) return <>{humane(Math.max(0, Math.floor((now - begun) / 1000) * 1000))}</>;
  return ended === undefined ? null : <>{humane(Math.max(0, ended - begun))}</>;
}

export function Checks({ title, checks, pending }: { title: string; checks: Check[]; pending: boolean }) {
  if (checks.length === 0) return pending ? <p className="quiet">{title}: under way.</p> : null;
  const passed = checks.filter((check) => checkOutcome(check.outcome) === "passed").length;
  return (
    <details open={passed < checks.length}>
      <summary>
        {title}: {passed} of {checks.length} passed
      </summary>
      <Scroll label={title}>
        <table>
          <tbody>
            {checks.map((check) => (
              <tr key={`${check.resource}/${check.name}`}>
                <td>
                  <Light tone={CHECK_TONES[check.outcome]}>{checkOutcome(check.outcome)}</Light>
                </td>
                <td>
                  {check.resource && <strong>{check.resource} </strong>}
                  {check.text} <code className="quiet">{check.name}</code>
                  {check.advisory && <span className="quiet"> · advisory</span>}
                  {check.overridden && <strong className="text-yellow"> · overridden: {check.overridden}</strong>}
                </td>
                <td className="quiet">
                  {check.value}
                  {check.limit && ` (limit ${check.limit})`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

function Notes({ here, request, run, changed }: Running) {
  const running = run.state === ExecutionState.RUNNING;
  return (
    <div className="stack">
      {run.notes.length > 0 && (
        <ul className="lines">
          {run.notes.map((note, index) => (
            <li key={index}>
              <strong>{note.actor?.name}</strong>, <Moment at={note.notedAt} />
              <p>{note.text}</p>
            </li>
          ))}
        </ul>
      )}
      {running && here.may("ExecutorService/NoteExecution") && (
        <AskButton
          label="Add a note"
          title="Note for the record"
          confirm="Record the note"
          small
          text={{ label: "Note", required: true, long: true }}
          act={(text, idempotencyKey) => executor.noteExecution({ tenant: here.tenant, requestId: request.requestId, text, idempotencyKey }).then(changed)}
        />
      )}
    </div>
  );
}
