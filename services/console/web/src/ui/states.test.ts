import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { hides } from "./states.tsx";

it("keeps a list while Muster does not answer, and gives it up to a refusal", () => {
  const [gone, refused] = [new TypeError("Failed to fetch"), new ConnectError("no", Code.PermissionDenied)];
  expect(hides({ error: null, data: undefined })).toBe(false);
  expect(hides({ error: gone, data: [] })).toBe(false);
  expect(hides({ error: gone, data: undefined })).toBe(true);
  expect(hides({ error: refused, data: [] })).toBe(true);
});
