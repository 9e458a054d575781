import { expect, test } from "bun:test";
import type { KubeObject } from "../index.ts";
import { validateNetworkPolicy } from "./network-policy.ts";

const errors = (spec: object) =>
  validateNetworkPolicy({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p" },
    spec: { podSelector: {}, ...spec },
  } as KubeObject).map(({ field, message }) => `${field}: ${message}`);

test("sound policies", () => {
  expect(
    errors({
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {},
        {
          from: [{ podSelector: {} }, { namespaceSelector: {}, podSelector: { matchLabels: { a: "b" } } }],
          ports: [{ port: 80 }, { port: "web", protocol: "UDP" }, { port: 32000, endPort: 32768 }, { protocol: "SCTP" }],
        },
      ],
      egress: [
        { to: [{ ipBlock: { cidr: "172.16.0.0/12", except: ["172.16.1.0/24"] } }, { ipBlock: { cidr: "2001:db8::/32", except: ["2001:db8:1::/48"] } }] },
      ],
    }),
  ).toEqual([]);
});

test.each<[object, string]>([
  [{ policyTypes: ["Both"] }, "spec.policyTypes[0]: "],
  [{ ingress: [{ ports: [{ port: 70_000 }] }] }, "spec.ingress[0].ports[0].port: "],
  [{ ingress: [{ ports: [{ port: 80, endPort: 79 }] }] }, "spec.ingress[0].ports[0].endPort: "],
  [{ ingress: [{ ports: [{ endPort: 79 }] }] }, "spec.ingress[0].ports[0].endPort: "],
  [{ ingress: [{ ports: [{ port: "web", endPort: 79 }] }] }, "spec.ingress[0].ports[0].endPort: "],
  [{ ingress: [{ ports: [{ port: "no name" }] }] }, "spec.ingress[0].ports[0].port: "],
  [{ ingress: [{ ports: [{ protocol: "ICMP" }] }] }, "spec.ingress[0].ports[0].protocol: "],
  [{ egress: [{ to: [{}] }] }, "spec.egress[0].to[0]: "],
  [{ egress: [{ to: [{ podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }] }] }, "spec.egress[0].to[0]: "],
  [{ egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0" } }] }] }, "spec.egress[0].to[0].ipBlock.cidr: "],
  [{ egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/33" } }] }] }, "spec.egress[0].to[0].ipBlock.cidr: "],
  [{ egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }] }] }, "spec.egress[0].to[0].ipBlock.except[0]: "],
  [{ egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } }] }] }, "spec.egress[0].to[0].ipBlock.except[0]: "],
])("%j is refused", (spec, start) => {
  const found = errors(spec);
  expect(found).toHaveLength(1);
  expect(found[0]).toStartWith(start);
});
