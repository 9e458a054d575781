import { expect, test } from "bun:test";
import type { Pod } from "../../resources/index.ts";
import { overridesText, userOverrides } from "./overrides.ts";

const pod = (containers: object[], annotations: Record<string, string> = {}): Pod =>
  ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", annotations }, spec: { containers } }) as Pod;
const NAMES = ["istio-proxy", "istio-init"];
const text = (from: Pod): string | undefined => overridesText(userOverrides(from, NAMES));

test("what a user wrote of the sidecar is kept, in the order in which tools compare it", () => {
  expect(text(pod([{ image: "auto", name: "istio-proxy", ports: [{ containerPort: 15090, name: "http-envoy-prom" }] }, { name: "app" }]))).toBe(
    '{"containers":[{"name":"istio-proxy","ports":[{"name":"http-envoy-prom","containerPort":15090}],"resources":{}}]}',
  );
  expect(text(pod([{ lifecycle: { preStop: { exec: { command: ["x"] } } }, env: [{ name: "A", value: "b" }], image: "own", name: "istio-proxy" }]))).toBe(
    '{"containers":[{"name":"istio-proxy","image":"own","env":[{"name":"A","value":"b"}],"resources":{},"lifecycle":{"preStop":{"exec":{"command":["x"]}}}}]}',
  );
  expect(text(pod([{ name: "app" }]))).toBeUndefined();
});

test("injected again, the kept one counts and not what was injected", () => {
  const kept = '{"containers":[{"name":"istio-proxy","image":"own","resources":{}}]}';
  expect(text(pod([{ name: "istio-proxy", image: "ours" }], { "sidecar.istio.io/status": "{}", "proxy.istio.io/overrides": kept }))).toBe(kept);
  expect(text(pod([{ name: "istio-proxy", image: "ours" }], { "sidecar.istio.io/status": "{}" }))).toBeUndefined();
  expect(text(pod([{ name: "app" }], { "proxy.istio.io/overrides": kept }))).toBe(kept);
});

test("an annotation of another form is refused", () => {
  for (const bad of ["{", '{"containers":{}}', '{"containers":[7]}', '{"initContainers":[{}]}'])
    expect(() => text(pod([], { "proxy.istio.io/overrides": bad }))).toThrow("invalid annotation: proxy.istio.io/overrides");
});
