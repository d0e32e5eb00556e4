import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ConnectError, Code } from "@connectrpc/connect";
import { App } from "./app.tsx";
import "./style.css";

const TRIES = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal does not change by asking again.
      retry: (failures, error) => failures < TRIES && [Code.Unavailable, Code.Unknown].includes(ConnectError.from(error).code),
      staleTime: 2_000,
      // The page says itself whether Muster answers; the browser's guess about the network would hold calls back.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}
