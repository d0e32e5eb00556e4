// The link of a message to one approver: where it belongs, before anything is asked of the API.

/** The tenant that a token names; undefined for what is no token. Believed by nobody: the API checks the signature. */
export function tenantOf(token: string): string | undefined {
  const payload = token.split(".")[0] ?? "";
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const tenant = typeof claims === "object" && claims !== null ? (claims as { t?: unknown }).t : undefined;
    return typeof tenant === "string" && /^[a-z][a-z0-9-]{0,62}$/.test(tenant) ? tenant : undefined;
  } catch {
    return undefined;
  }
}
