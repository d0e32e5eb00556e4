import { type Scope, scopeLabel, scopeValue } from "./scopes.ts";

/** The choices of a list of systems and groups; none while they are being asked for. */
export function ScopeOptions({ scopes }: { scopes: Scope[] | undefined }) {
  return scopes?.map((scope) => (
    <option key={scopeValue(scope)} value={scopeValue(scope)}>
      {scopeLabel(scope)}
    </option>
  ));
}
