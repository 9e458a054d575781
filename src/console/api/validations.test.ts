import { expect, test } from "bun:test";
import type { KubeObject } from "../../resources/types.ts";
import type { PodView, ServiceView } from "../server/mesh-view.ts";
import { validate } from "./validations.ts";

const object = (kind: string, name: string, spec: unknown, namespace = "shop"): KubeObject => ({
  apiVersion: "x/v1",
  kind,
  metadata: { name, namespace },
  spec,
});
const web: PodView = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop", labels: { app: "web", version: "v1" } } };
const service: ServiceView = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
};

function codes(...objects: KubeObject[]): Record<string, string[]> {
  const found = validate({
    objects: Map.groupBy(objects, ({ kind }) => kind),
    services: [service],
    pods: [web],
    serviceAccounts: [object("ServiceAccount", "web", undefined)],
    trustDomain: "cluster.local",
  });
  return Object.fromEntries([...found].map(([key, checks]) => [key.split("/").at(-1)!, checks.map(({ code, path }) => `${code} ${path}`)]));
}

test("names that lead nowhere", () => {
  const rule = object("DestinationRule", "dr", {
    host: "web",
    subsets: [
      { name: "v1", labels: { version: "v1" } },
      { name: "v2", labels: { version: "v2" } },
    ],
  });
  const routes = (host: string, subset: string) => ({ gateways: ["mesh", "shop/gone"], http: [{ route: [{ destination: { host, subset } }] }] });
  expect(
    codes(
      rule,
      object("VirtualService", "vs", routes("web", "v3")),
      object("VirtualService", "vs2", routes("web.shop.svc.cluster.local", "v2")),
      object("VirtualService", "vs3", routes("lost", "v1")),
    ),
  ).toEqual({
    dr: ["KIA0203 spec/subsets[1]"],
    vs: ["KIA1102 spec/gateways[1]", "KIA1107 spec/http[0]/route[0]/destination/subset"],
    vs2: ["KIA1102 spec/gateways[1]"],
    vs3: ["KIA1102 spec/gateways[1]", "KIA1101 spec/http[0]/route[0]/destination/host"],
  });
});

test("policies: selectors, principals, namespaces, and clients told to speak plaintext", () => {
  const allow = object("AuthorizationPolicy", "allow", {
    selector: { matchLabels: { app: "gone" } },
    rules: [
      {
        from: [
          {
            source: {
              principals: ["cluster.local/ns/shop/sa/web", "cluster.local/ns/shop/sa/nobody", "other/ns/shop/sa/web", "*"],
              namespaces: ["nowhere", "sh*"],
            },
          },
        ],
      },
    ],
  });
  const strict = object("PeerAuthentication", "default", { mtls: { mode: "STRICT" } });
  const plain = object("DestinationRule", "plain", { host: "web.shop.svc.cluster.local", trafficPolicy: { tls: { mode: "DISABLE" } } });
  expect(codes(allow, strict, plain)).toEqual({
    allow: [
      "KIA0106 spec/rules[0]/from[0]/source/principals[1]",
      "KIA0107 spec/rules[0]/from[0]/source/principals[2]",
      "KIA0101 spec/rules[0]/from[0]/source/namespaces[0]",
      "KIA0004 spec/selector",
    ],
    default: ["KIA0501 spec/mtls"],
    plain: [],
  });
});

test("objects without a spec are no fault of this", () => {
  expect(codes(object("VirtualService", "bare", undefined), object("AuthorizationPolicy", "empty", null), object("Gateway", "odd", { servers: "x" }))).toEqual({
    bare: [],
    empty: [],
    odd: [],
  });
});
