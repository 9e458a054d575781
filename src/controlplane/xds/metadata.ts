import type { JsonObject } from "@bufbuild/protobuf";
import type { MeshService } from "../registry/index.ts";

/** The path under which istioctl and Kiali find the rule behind a resource. */
export function configPath(kind: "destination-rule" | "virtual-service" | "sidecar", rule: { name: string; namespace: string }): string {
  return `/apis/networking.istio.io/v1/namespaces/${rule.namespace}/${kind}/${rule.name}`;
}

/** A service as telemetry's filters look for it in a cluster's metadata. */
export function serviceMetadata({ hostname, name, namespace }: MeshService): JsonObject {
  return { host: hostname, name, namespace };
}
