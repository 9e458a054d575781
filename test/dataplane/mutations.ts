/**
 * Takes the listeners and clusters of the rows, changes one value of each by chance, and asks a real Envoy and this proxy
 * whether they take the result. Prints where they do not agree. Needs `envoy` on the path.
 *
 *   bun test/dataplane/mutations.ts [SEED] [COUNT]
 */
import { fromJson, toBinary, type DescMessage, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterSchema } from "../../src/proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../src/proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { loadRegistry } from "../../src/proto/index.ts";
import { closedPort } from "../../src/proxy/test-support/backends.ts";
import { Sidecar } from "../../src/proxy/test-support/sidecar.ts";
import { TestManagementServer } from "../../src/proxy/xds/test-management-server.ts";
import { writeCertificates } from "./certificates.ts";
import { GROUPS } from "./groups.ts";
import { discoveryBootstrap } from "./refusal-bootstrap.ts";
import { startProxy } from "./proxies.ts";

const TYPE = "type.googleapis.com/";
const ANSWER_MS = 10_000;

/** Those that rows name. */
const CLUSTERS = [
  ...new Set([
    "echo",
    "echo2",
    "closed",
    "tcp",
    "h2",
    "empty",
    ...GROUPS.flatMap(({ rows }) => rows).flatMap(({ clusters = [] }) => clusters.map(({ name }) => name as string)),
  ]),
];
const emptyCluster = (name: string): JsonObject => ({ name, load_assignment: { cluster_name: name } });

interface Case {
  readonly schema: DescMessage;
  readonly resource: JsonObject;
  readonly change: string;
}

async function main(seed: number, count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-mutations-"));
  const server = await TestManagementServer.start();
  await writeCertificates(folder);
  const random = generator(seed);
  const seeds = GROUPS.flatMap(({ rows }) => rows).flatMap(({ listener, clusters }) => [
    { schema: ListenerSchema as DescMessage, resource: listener },
    ...(clusters ?? []).map((resource) => ({ schema: ClusterSchema as DescMessage, resource })),
  ]);
  const cases = Array.from({ length: count }, (): Case => {
    const { schema, resource } = seeds[Math.floor(random() * seeds.length)] as (typeof seeds)[number];
    const copy = placed(resource, folder) as JsonObject;
    const change = mutate(copy, random);
    const named =
      schema === ListenerSchema
        ? { ...copy, name: "m", address: { socket_address: { address: "127.0.0.1", port_value: 0 } } }
        : { ...copy, ...("name" in copy && copy["name"] !== "" && { name: "m" }) };
    return { schema, resource: named, change };
  });
  const admin = { address: "127.0.0.1", port: closedPort() };
  const path = join(folder, "bootstrap.json");
  writeFileSync(path, JSON.stringify(discoveryBootstrap(admin.port, server.port)));
  const registry = await loadRegistry();
  const starting = startProxy("envoy", path, admin);
  for (const type of [ClusterSchema, ListenerSchema]) {
    await server.until(() => server.requests.some(({ typeUrl }) => typeUrl === TYPE + type.typeName), ANSWER_MS);
    const resources =
      type === ClusterSchema
        ? CLUSTERS.map((name) => ({
            name,
            version: "0",
            resource: { typeUrl: TYPE + ClusterSchema.typeName, value: toBinary(ClusterSchema, fromJson(ClusterSchema, emptyCluster(name), { registry })) },
          }))
        : [];
    server.send({ typeUrl: TYPE + type.typeName, systemVersionInfo: "0", resources });
  }
  const envoy = await starting;
  const differences = new Map<string, number>();
  let asked = 0;
  for (const [index, { schema, resource, change }] of cases.entries()) {
    let message;
    try {
      message = fromJson(schema, resource, { registry });
    } catch {
      continue;
    }
    asked++;
    const typeUrl = TYPE + schema.typeName;
    const nonce = server.send({
      typeUrl,
      systemVersionInfo: "1",
      resources: [{ name: "m", version: String(index), resource: { typeUrl, value: toBinary(schema, message) } }],
    });
    const answer = () => server.requests.find(({ responseNonce }) => responseNonce === nonce);
    try {
      await server.until(() => answer() !== undefined, ANSWER_MS);
    } catch {
      // A configuration that ends a real Envoy is one to report, not to follow.
      console.log(`envoy gave no answer to ${change}: ${JSON.stringify(resource)}`);
      break;
    }
    const theirs = shortened(answer()?.errorDetail?.message ?? "");
    const ours = await mine(schema, message as never);
    if ((theirs === "") !== (ours === "")) {
      const line = `${change}\n    envoy: ${theirs || "takes it"}\n    ours:  ${ours || "takes it"}`;
      differences.set(line, (differences.get(line) ?? 0) + 1);
    }
    server.send({ typeUrl, systemVersionInfo: "1", resources: [], removedResources: ["m"] });
  }
  for (const [line, times] of [...differences].sort()) console.log(`${times}x ${line}`);
  console.log(`seed ${seed}: ${asked} asked, ${[...differences.values()].reduce((sum, each) => sum + each, 0)} answered differently`);
  await envoy.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function mine(schema: DescMessage, message: never): Promise<string> {
  const proxy = new Sidecar({ id: "n" });
  const registry = await loadRegistry();
  try {
    for (const name of CLUSTERS) proxy.dataPlane.setCluster(fromJson(ClusterSchema, emptyCluster(name), { registry }));
    if (schema === ListenerSchema) proxy.dataPlane.setListener(message);
    else proxy.dataPlane.setCluster(message);
    return "";
  } catch (error) {
    return `${error instanceof Error ? `${error.constructor.name === "InvalidResource" ? "" : "FAULT "}${error.message}` : String(error)}`.slice(0, 200);
  } finally {
    proxy.dataPlane.stop();
  }
}

/** The end of what Envoy says: before it stands the whole configuration. */
function shortened(message: string): string {
  return message
    .replace(/goo\.gle\/debug\w+\s*/g, "")
    .trim()
    .slice(-220)
    .replaceAll(/\s+/g, " ");
}

/** Ports and files in place of their names. */
function placed(value: JsonValue, folder: string): JsonValue {
  if (typeof value === "string")
    return value.startsWith("{port:") ? 1 : value.replace(/\{file:([^}]+)\}/g, (_, name: string) => join(folder, name)).replaceAll("{row}", "row");
  if (Array.isArray(value)) return value.map((each) => placed(each, folder));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, placed(each as JsonValue, folder)]));
}

const STRINGS: readonly JsonValue[] = ["", "x", "\n", "é", "*", "(", "-1s", "0s", "0.0001s", "%WHO%", ":path", "host", "/", "999.1.1.1", "a b"];
const NUMBERS: readonly JsonValue[] = [0, 1, -1, 99, 100, 101, 599, 600, 65_535, 65_536, 4_294_967_295];

/** Changes one place and says which. */
function mutate(root: JsonObject, random: () => number): string {
  const places: { readonly holder: JsonObject | JsonValue[]; readonly key: string | number; readonly path: string }[] = [];
  const visit = (value: JsonValue, path: string): void => {
    if (Array.isArray(value)) value.forEach((each, index) => (places.push({ holder: value, key: index, path: `${path}[]` }), visit(each, `${path}[]`)));
    else if (typeof value === "object" && value !== null) {
      for (const [name, each] of Object.entries(value)) {
        // A further address without an address ends a real Envoy.
        if (name === "@type" || name === "access_log" || name === "additional_addresses") continue;
        places.push({ holder: value, key: name, path: `${path}.${name}` });
        visit(each as JsonValue, `${path}.${name}`);
      }
    }
  };
  visit(root, "");
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  if (places.length === 0) return "nothing";
  const { holder, key, path } = pick(places);
  const value = (holder as Record<string | number, JsonValue>)[key] as JsonValue;
  const draw = random();
  if (draw < 0.35 || (typeof value === "object" && draw < 0.7)) {
    if (Array.isArray(holder)) holder.splice(key as number, 1);
    else delete holder[key as string];
    return `without ${path}`;
  }
  if (Array.isArray(holder) && draw < 0.8) {
    holder.push(structuredClone(value));
    return `twice ${path}`;
  }
  const to =
    typeof value === "string"
      ? pick(STRINGS)
      : typeof value === "number"
        ? pick(NUMBERS)
        : typeof value === "boolean"
          ? !value
          : Array.isArray(value)
            ? []
            : {};
  (holder as Record<string | number, JsonValue>)[key] = to;
  return `${path} = ${JSON.stringify(to)} (was ${JSON.stringify(value).slice(0, 60)})`;
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

await main(Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 1_000));
