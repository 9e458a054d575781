import { VERSION } from "../../base/index.ts";
import { CLUSTER, ROOT_NAMESPACE } from "../server/mesh-view.ts";
import { autoMtlsEnabled, meshStatus, namespaceStatus } from "./mtls.ts";
import { type Route, param, queryList } from "./router.ts";

/** What every page of Kiali asks first. */
export const BASIC_ROUTES: Route[] = [
  {
    pattern: "/status",
    answer: () => ({
      status: {
        "Kiali commit hash": "",
        "Kiali container version": VERSION,
        "Kiali state": "running",
        "Kiali version": VERSION,
        "Mesh name": "Istio",
        "Mesh version": VERSION,
      },
      externalServices: [
        { name: "Istio", version: VERSION },
        { name: "Prometheus", version: VERSION },
      ],
      warningMessages: [],
      istioEnvironment: { isMaistra: false, istioAPIEnabled: true },
    }),
  },
  { pattern: "/config", answer: () => CONFIG },
  { pattern: "/namespaces", answer: (_, { mesh }) => mesh.namespaces().map(namespaceOf) },
  {
    pattern: "/namespaces/:namespace/info",
    answer: (request, { mesh }) =>
      mesh
        .namespaces()
        .filter((n) => n.metadata.name === param(request, "namespace"))
        .map(namespaceOf)[0] ?? {},
  },
  {
    pattern: "/mesh/tls",
    answer: (_, { mesh }) => ({ status: meshStatus(mesh.peerAuthentications()), autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()), minTLS: "N/A" }),
  },
  {
    pattern: "/clusters/tls",
    answer({ query }, { mesh }) {
      const asked = queryList(query, "namespaces");
      const names = asked.length > 0 ? asked : mesh.namespaces().map((n) => n.metadata.name);
      return names.map((namespace) => ({
        namespace,
        cluster: CLUSTER,
        status: namespaceStatus(namespace, mesh.peerAuthentications()),
        autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()),
        minTLS: "",
      }));
    },
  },
  {
    pattern: "/namespaces/:namespace/tls",
    answer(request, { mesh }) {
      const namespace = param(request, "namespace");
      return {
        namespace,
        cluster: CLUSTER,
        status: namespaceStatus(namespace, mesh.peerAuthentications()),
        autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()),
        minTLS: "",
      };
    },
  },
];

function namespaceOf({
  metadata,
}: {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
}): Record<string, unknown> {
  const labels = metadata.labels ?? {};
  const revision = labels["istio.io/rev"] ?? (labels["istio-injection"] === "enabled" ? "default" : "");
  return {
    name: metadata.name,
    cluster: CLUSTER,
    isAmbient: labels["istio.io/dataplane-mode"] === "ambient",
    isControlPlane: metadata.name === ROOT_NAMESPACE,
    labels,
    annotations: metadata.annotations ?? {},
    revision,
  };
}

const UI_DEFAULTS = {
  refreshInterval: "15s",
  metricsPerRefresh: "1m",
  namespaces: [],
  graph: { findOptions: [], hideOptions: [], traffic: { grpc: "requests", http: "requests", tcp: "sent" } },
};

/** Kiali's own defaults, as its pages and scripts expect them. */
const CONFIG = {
  accessibleNamespaces: [],
  ambientEnabled: false,
  authStrategy: "anonymous",
  clusterWideAccess: true,
  clusters: { [CLUSTER]: { accessible: true, apiEndpoint: "", isKialiHome: true, kialiInstances: [], name: CLUSTER, secretName: "" } },
  controlPlanes: { [CLUSTER]: ROOT_NAMESPACE },
  deployment: { viewOnlyMode: true },
  environment: "",
  gatewayAPIClasses: [],
  gatewayAPIEnabled: false,
  healthConfig: {
    rate: [
      {
        namespace: "/.*/",
        kind: "/.*/",
        name: "/.*/",
        tolerance: [
          { protocol: "/http/", direction: "/.*/", code: "/^5\\d\\d$/", degraded: 0, failure: 10 },
          { protocol: "/http/", direction: "/.*/", code: "/^4\\d\\d$/", degraded: 10, failure: 20 },
          { protocol: "/grpc/", direction: "/.*/", code: "/^[1-9]$|^1[0-6]$/", degraded: 0, failure: 10 },
        ],
      },
    ],
  },
  istioAnnotations: { istioInjectionAnnotation: "sidecar.istio.io/inject" },
  istioIdentityDomain: "svc.cluster.local",
  istioInjectionAction: false,
  istioLabels: {
    ambientNamespaceLabel: "istio.io/dataplane-mode",
    appLabelName: "app",
    injectionLabelName: "istio-injection",
    injectionLabelRev: "istio.io/rev",
    versionLabelName: "version",
  },
  istioStatusEnabled: true,
  kialiFeatureFlags: { uiDefaults: UI_DEFAULTS },
  uiDefaults: UI_DEFAULTS,
  logLevel: "info",
  prometheus: { globalScrapeInterval: 1, storageTsdbRetention: 86_400 },
};
