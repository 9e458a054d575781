import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorText } from "../../../src/base/index.ts";
import { startTestServer } from "../../../src/cluster/apiserver/testing.ts";
import { writeKubeconfig } from "../../../src/cluster/apiserver/index.ts";
import { oraclePrograms, type OraclePrograms } from "../kubernetes/oracle-programs.ts";
import { startOracle, type Oracle } from "../kubernetes/oracle.ts";
import { KNOWN } from "./known.ts";
import { KUBECTL_MINORS, kubectlFolder } from "./programs.ts";
import { runSession } from "./session.ts";

const wanted = process.env["CHAINMAIL_CONFORMANCE"] === "1";
const programs = wanted
  ? await oraclePrograms((line) => console.error(line)).catch((error: unknown) => errorText(error))
  : "CHAINMAIL_CONFORMANCE is not 1 (npm run conformance sets it)";
const reason = typeof programs === "string" ? programs : undefined;

/** Some 180 commands at both servers; on a busy machine each takes half a second. */
const SESSION_TIMEOUT_MS = 300_000;

describe.skipIf(reason !== undefined)(`kubectl at our API server and at a real one${reason ? ` (skipped: ${reason})` : ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-kubectl-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  for (const minor of KUBECTL_MINORS) {
    test(
      `kubectl 1.${minor}`,
      async () => {
        const kubectl = kubectlFolder(minor);
        if ("reason" in kubectl) throw new Error(kubectl.reason);
        const ours = await startTestServer();
        const theirs = await startOracle(programs as OraclePrograms);
        try {
          const [ourConfig, theirConfig] = [join(folder, `ours-${minor}`), join(folder, `theirs-${minor}`)];
          await writeKubeconfig({
            path: ourConfig,
            name: "cluster",
            server: `https://127.0.0.1:${ours.server.port}`,
            caCert: ours.pki.caCert,
            client: ours.pki.admin,
          });
          writeFileSync(theirConfig, kubeconfigOf(theirs), { mode: 0o600 });
          const [said, expected] = await Promise.all([runSession(kubectl.folder, ourConfig), runSession(kubectl.folder, theirConfig)]);
          const differing = Object.keys(expected).filter((line) => !Bun.deepEquals(said[line], expected[line]) && !KNOWN.has(line));
          expect(Object.fromEntries(differing.map((line) => [line, said[line]]))).toEqual(Object.fromEntries(differing.map((line) => [line, expected[line]])));
        } finally {
          await Promise.all([ours.close(), theirs.stop()]);
        }
      },
      SESSION_TIMEOUT_MS,
    );
  }
});

function kubeconfigOf({ url, token }: Oracle): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "cluster", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "user", user: { token } }],
    contexts: [{ name: "cluster", context: { cluster: "cluster", user: "user" } }],
    "current-context": "cluster",
  });
}
