import { fromJson, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterSchema } from "../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { loadRegistry } from "../../src/proto/index.ts";
import { closedPort } from "../../src/proxy/test-support/backends.ts";
import { Sidecar } from "../../src/proxy/test-support/sidecar.ts";
import { TestManagementServer } from "../../src/proxy/xds/test-management-server.ts";
import { InvalidResource } from "../../src/proxy/types.ts";
import { envoyWanted, startProxy, type Proxy } from "./proxies.ts";
import { discoveryBootstrap } from "./refusal-bootstrap.ts";
import { REFUSALS, type Refusal } from "./refusals.ts";

/** What Envoy said to each, by name. */
const GOLDEN = join(import.meta.dir, "../golden/dataplane/refusals.json");
const TYPE = "type.googleapis.com/";
/** An answer on a busy machine. */
const ANSWER_MS = 20_000;

const live = envoyWanted();
const theirs = new Map<string, string>(live ? [] : Object.entries(JSON.parse(readFileSync(GOLDEN, "utf8")) as Record<string, string>));
const proxy = new Sidecar({ id: "n" });
const clean: (() => void | Promise<void>)[] = [() => proxy.dataPlane.stop()];
afterAll(async () => {
  for (const each of clean.reverse()) await each();
});

/** Sends each to a real Envoy over ADS and keeps its word. */
async function askEnvoy(): Promise<void> {
  const server = await TestManagementServer.start();
  const folder = mkdtempSync(join(tmpdir(), "chainmail-refusals-"));
  clean.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => server.stop(),
  );
  const admin = { address: "127.0.0.1", port: closedPort() };
  const path = join(folder, "bootstrap.json");
  writeFileSync(path, JSON.stringify(discoveryBootstrap(admin.port, server.port)));
  // It becomes live when it has its first clusters and listeners, even if there are none.
  const starting = startProxy("envoy", path, admin);
  for (const type of ["envoy.config.cluster.v3.Cluster", "envoy.config.listener.v3.Listener"]) {
    await server.until(() => server.requests.some(({ typeUrl }) => typeUrl === TYPE + type), ANSWER_MS);
    server.send({ typeUrl: TYPE + type, systemVersionInfo: "0", resources: [] });
  }
  const envoy: Proxy = await starting;
  clean.push(() => envoy.stop());
  for (const refusal of REFUSALS) {
    const any = await encoded(refusal);
    const nonce = server.send({ typeUrl: any.typeUrl, systemVersionInfo: "1", resources: [{ name: "refused", version: refusal.name, resource: any }] });
    const answer = () => server.requests.find(({ responseNonce }) => responseNonce === nonce);
    await server.until(() => answer() !== undefined, ANSWER_MS);
    // Protobuf marks what it prints for people with a word and blanks that change from run to run.
    theirs.set(refusal.name, (answer()?.errorDetail?.message ?? "").replace(/goo\.gle\/debug\w+\s*/g, ""));
  }
  if (process.env.CHAINMAIL_GOLDEN === "write") writeFileSync(GOLDEN, `${JSON.stringify(Object.fromEntries(theirs), undefined, 1)}\n`);
}

beforeAll(async () => {
  if (live) await askEnvoy();
}, 120_000);

describe(live ? "as a real Envoy" : "as Envoy did", () => {
  for (const refusal of REFUSALS) {
    test(refusal.name, async () => {
      const envoy = theirs.get(refusal.name);
      expect(envoy).toMatch(refusal.about);
      expect(await ours(refusal)).toMatch(refusal.about);
    });
  }
});

/** Why this proxy refuses it; empty if it does not. */
async function ours({ kind, resource }: Refusal): Promise<string> {
  const registry = await loadRegistry();
  try {
    if (kind === "cluster") proxy.dataPlane.setCluster(fromJson(ClusterSchema, resource, { registry }));
    else proxy.dataPlane.setListener(fromJson(ListenerSchema, resource, { registry }));
  } catch (error) {
    if (!(error instanceof InvalidResource)) throw error;
    return error.message;
  }
  return "";
}

async function encoded({ kind, resource }: Refusal): Promise<{ typeUrl: string; value: Uint8Array }> {
  const registry = await loadRegistry();
  if (kind === "cluster") return { typeUrl: TYPE + ClusterSchema.typeName, value: toBinary(ClusterSchema, fromJson(ClusterSchema, resource, { registry })) };
  return { typeUrl: TYPE + ListenerSchema.typeName, value: toBinary(ListenerSchema, fromJson(ListenerSchema, resource, { registry })) };
}
