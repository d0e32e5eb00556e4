import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** For `npm run dev`: a running Muster whose console answers the calls. */
const muster = process.env.MUSTER_URL ?? "http://127.0.0.1:7400";
const calls = ["/rpc", "/session", "/login", "/callback", "/logout", "/local-issuer"];

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    // Small files as data: addresses would need a hole in the content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: Object.fromEntries(calls.map((path) => [path, { target: muster }])) },
  test: {
    environment: "node",
    include: ["src/**/*.test.ts"],
    env: { TZ: "Europe/Berlin" },
    // These run beside the build of everything else: the limit is there to end what hangs, not to measure.
    testTimeout: 120_000,
  },
});
