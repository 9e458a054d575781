/** Our API server, in-process and in memory, as a target of the conversations. */
import { startTestServer } from "../../../src/cluster/apiserver/testing.ts";
import type { Target } from "./types.ts";

/** Who asks, as at the real server: what its token says. */
const USER = { username: "conformance", uid: "conformance", groups: ["system:masters", "system:authenticated"] };

export async function startOurs(): Promise<{ target: Target; close(): Promise<void> }> {
  const api = await startTestServer();
  const transport = api.server.transport("conformance/1.0", USER);
  return { target: (path, init) => transport(path, init as RequestInit), close: () => api.close() };
}
