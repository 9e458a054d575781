import { expect, test } from "bun:test";
import { validateFiles, validateText } from "./validate.ts";

const PLACES = { namespace: "default", istioNamespace: "istio-system" };
const GOLDEN = `${import.meta.dir}/../../../../test/golden/analyze`;

function judged(text: string): { errors: string[]; warnings: string[]; told: string } {
  let told = "";
  const verdict = validateText("f.yaml", text, PLACES, (part) => void (told += part));
  return { ...verdict, told };
}

test("Istio's resources are judged as the webhook judges them, with what they are before it", () => {
  const { errors, warnings } = judged(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x, namespace: shop}
spec: {hosts: [""], http: [{route: [{destination: {host: a}}]}]}
---
apiVersion: networking.istio.io/v1
kind: EnvoyFilter
metadata: {name: f}
spec: {}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: p}
spec: {mtls: {mode: STRICTT}}
`);
  expect(errors[0]).toStartWith("VirtualService/shop/x: ");
  expect(errors.at(-1)).toStartWith("PeerAuthentication//p: cannot parse proto message: ");
  expect(warnings).toEqual([
    "EnvoyFilter//f: EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.",
  ]);
});

test("ports of services need names that say what they speak, but not in Istio's own namespace and not for UDP", () => {
  const service = (namespace: string, ports: string): string => `kind: Service\nmetadata: {name: s, namespace: ${namespace}}\nspec: {ports: ${ports}}\n`;
  expect(
    judged(
      service("shop", "[{name: http-web}, {name: strange}, {port: 1}, {name: x, protocol: UDP}, {name: y, appProtocol: http2}, {name: z, appProtocol: odd}]"),
    ).errors,
  ).toEqual(
    [
      'Service/shop/s: service "s/shop/:" port "strange" does not follow the Istio naming convention. See https://istio.io/v1.30/docs/ops/deployment/requirements/',
      'Service/shop/s: service "s/shop/:" has an unnamed port. This is not recommended, See https://istio.io/v1.30/docs/ops/deployment/requirements/',
      'Service/shop/s: service "s/shop/:" doesn\'t follow Istio protocol selection. This is not recommended, See https://istio.io/v1.30/docs/ops/configuration/traffic-management/protocol-selection/',
    ].map((line) => line.replace('"s/shop/:"', '"s/shop/:"')),
  );
  expect(judged(service("istio-system", "[{name: strange}]")).errors).toEqual([]);
});

test("deployments without the labels of telemetry are worth a remark", () => {
  const deployment = (labels: string): string => `kind: Deployment\nmetadata: {name: d, namespace: shop}\nspec: {template: {metadata: {labels: ${labels}}}}\n`;
  expect(judged(deployment("{app: a, version: v1}")).told).toBe("");
  expect(judged(deployment("{app: a}")).told).toBe(
    'deployment "d/shop:" may not provide Istio metrics and telemetry labels: map["app":"a"]. See https://istio.io/v1.30/docs/ops/deployment/requirements/\n',
  );
});

test("files: what is told, and the exit code", () => {
  let told = "";
  const write = (text: string): void => void (told += text);
  expect(validateFiles([`${GOLDEN}/input.yaml`], PLACES, write)).toBe(0);
  expect(told).toBe(`${JSON.stringify(`${GOLDEN}/input.yaml`)} is valid\n`);
  told = "";
  expect(validateFiles([`${GOLDEN}/nosuch.yaml`, `${GOLDEN}/mistakes.yaml`], PLACES, write)).toBe(1);
  expect(told).toContain(`* cannot stat file ${JSON.stringify(`${GOLDEN}/nosuch.yaml`)}: stat ${GOLDEN}/nosuch.yaml: no such file or directory\n`);
  expect(told).toContain("has warnings: ");
});

test("what is no YAML, or no object, ends a file", () => {
  expect(judged("a: [").errors).toHaveLength(1);
  expect(judged("just words\n---\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: strange}]}\n").errors).toHaveLength(1);
  expect(judged("# nothing\n").errors).toEqual([]);
});
