import { ChainmailError } from "../base/index.ts";
import { flag, parseFlags } from "./flags.ts";

/** `pilot-agent request METHOD PATH [BODY]`: asks the proxy's admin port, or the agent's own with --debug-port. */
export async function runRequest(argv: readonly string[], print: (text: string) => void): Promise<void> {
  const flags = parseFlags(
    [
      { name: "debug-port", default: "15000" },
      { name: "log_output_level", default: "" },
    ],
    argv,
  );
  const [method = "GET", path, body] = flags.positional;
  if (path === undefined) throw new ChainmailError("USAGE", "usage: pilot-agent request <method> <path> [<body>]");
  const response = await fetch(`http://localhost:${flag(flags, "debug-port")}/${path.replace(/^\//, "")}`, { method, ...(body !== undefined && { body }) });
  print(await response.text());
  if (response.status >= 400) throw new ChainmailError("REQUEST_REFUSED", `received unsuccessful status code ${response.status}`);
}

/** `pilot-agent wait`: returns when the proxy is ready; throws after the timeout. */
export async function runWait(argv: readonly string[]): Promise<void> {
  const flags = parseFlags(
    [
      { name: "url", default: "http://localhost:15021/healthz/ready" },
      { name: "timeoutSeconds", default: "60" },
      { name: "periodMillis", default: "500" },
      { name: "requestTimeoutMillis", default: "500" },
      { name: "log_output_level", default: "" },
    ],
    argv,
  );
  const deadline = Date.now() + Number(flag(flags, "timeoutSeconds")) * 1000;
  const url = flag(flags, "url");
  let last = "";
  while (Date.now() < deadline) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(Number(flag(flags, "requestTimeoutMillis"))) });
      if (response.ok) return;
      last = `${response.status} ${await response.text()}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await Bun.sleep(Number(flag(flags, "periodMillis")));
  }
  throw new ChainmailError("PROXY_NOT_READY", `timeout waiting for the proxy to become ready. Last error: ${last}`);
}
