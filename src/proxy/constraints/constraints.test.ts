import { create } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { checkConstraints } from "./index.ts";

const route = {
  match: { pathSpecifier: { case: "prefix", value: "/" } },
  action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: "c" } } },
} as const;
const routes = (more: object, host: object = {}) =>
  create(RouteConfigurationSchema, { name: "r", virtualHosts: [{ name: "v", domains: ["*"], routes: [{ ...route, ...more }], ...host }] } as never);

test("what Envoy's API allows is taken", () => {
  expect(() => checkConstraints(routes({}))).not.toThrow();
  expect(() =>
    checkConstraints(create(ClusterSchema, { name: "c", connectTimeout: { seconds: 1n }, outlierDetection: { maxEjectionPercent: 100 } })),
  ).not.toThrow();
  expect(() =>
    checkConstraints(create(ClusterLoadAssignmentSchema, { clusterName: "c", endpoints: [{ lbEndpoints: [], loadBalancingWeight: 3 }] })),
  ).not.toThrow();
});

test("what it does not is refused with the way to it", () => {
  const refused = (message: Parameters<typeof checkConstraints>[0]): string => {
    try {
      checkConstraints(message);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  const within = (problem: string): string =>
    `Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed validation | caused by VirtualHostValidationError.${problem})`;
  expect(refused(routes({}, { domains: [] }))).toBe(within("Domains: value must contain at least 1 item(s)"));
  expect(refused(routes({}, { name: "" }))).toBe(within("Name: value length must be at least 1 characters"));
  expect(refused(routes({ action: { case: undefined } }))).toBe(
    within('Routes[0]: embedded message failed validation | caused by field: "action", reason: is required'),
  );
  expect(refused(routes({ match: undefined }))).toContain("RouteValidationError.Match: value is required");
  expect(refused(routes({ requestHeadersToAdd: [{ header: { key: "", value: "x" } }] }))).toContain(
    "HeaderValueValidationError.Key: value length must be at least 1 characters",
  );
  expect(refused(routes({ requestHeadersToRemove: ["a\nb"] }))).toContain("RouteValidationError.RequestHeadersToRemove[0]: value does not match regex pattern");
  expect(refused(routes({ action: { case: "directResponse", value: { status: 99 } } }))).toContain(
    "DirectResponseActionValidationError.Status: value must be inside range [200, 600)",
  );
  expect(refused(create(ClusterSchema, { name: "" }))).toContain("ClusterValidationError.Name");
  expect(refused(create(ClusterSchema, { name: "c", connectTimeout: { seconds: 0n } }))).toContain(
    "ClusterValidationError.ConnectTimeout: value must be greater than 0s",
  );
  expect(refused(create(ClusterSchema, { name: "c", outlierDetection: { maxEjectionPercent: 101 } }))).toContain(
    "OutlierDetectionValidationError.MaxEjectionPercent: value must be less than or equal to 100",
  );
  expect(refused(create(ClusterSchema, { name: "c", lbPolicy: 99 as never }))).toContain("LbPolicy: value must be one of the defined enum values");
  expect(refused(create(ClusterLoadAssignmentSchema, {}))).toContain("ClusterLoadAssignmentValidationError.ClusterName");
  expect(refused(create(ClusterLoadAssignmentSchema, { clusterName: "c", endpoints: [{ lbEndpoints: [{ loadBalancingWeight: 0 }] }] }))).toContain(
    "LbEndpointValidationError.LoadBalancingWeight: value must be greater than or equal to 1",
  );
});
