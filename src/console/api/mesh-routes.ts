import { X509Certificate } from "node:crypto";
import { VERSION, errorText } from "../../base/index.ts";
import { DEPLOYMENTS } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { CLUSTER, type MeshView, ROOT_NAMESPACE, hasProxy } from "../server/mesh-view.ts";
import { autoMtlsEnabled, meshStatus, trustDomain } from "./mtls.ts";
import type { ApiContext, Route } from "./router.ts";
import { lastSent, proxyStatus } from "./sync-status.ts";
import { isReady } from "./workload-routes.ts";

export interface Component {
  name: string;
  namespace: string;
  cluster: string;
  status: "Healthy" | "Unhealthy" | "Unreachable" | "NotFound" | "NotReady";
  isCore: boolean;
}

export interface ProxyRow {
  pod: string;
  namespace: string;
  workload: string;
  ready: boolean;
  image: string;
  version: string;
  connected: boolean;
  /** By resource type; undefined where istiod could not be asked. */
  sync: Record<string, string> | undefined;
  lastSent: string | undefined;
  /** Unix ms; undefined where the agent does not tell. */
  certificateExpires: number | undefined;
}

export interface MeshAnswer {
  components: Component[];
  istiod: { version: string; problem: string | undefined; pods: { name: string; ready: boolean; restarts: number }[] };
  trustDomain: string;
  tls: { status: string; autoMtls: boolean };
  meshConfig: string;
  roots: RootCertificate[];
  proxies: ProxyRow[];
}

export interface RootCertificate {
  issuer: string;
  serial: string;
  notBefore: string;
  notAfter: string;
  algorithm: string;
}

/** What belongs to a mesh, by the label of its pods. */
const COMPONENTS = [
  { name: "istiod", label: { app: "istiod" }, core: true },
  { name: "istio-ingressgateway", label: { app: "istio-ingressgateway" }, core: false },
  { name: "prometheus", label: { app: "prometheus" }, core: false },
  { name: "kiali", label: { app: "kiali" }, core: false },
] as const;

export const MESH_ROUTES: Route[] = [
  { pattern: "/istio/status", answer: (_, context) => components(context) },
  { pattern: "/mesh", liveMs: 2_000, answer: (_, context) => meshAnswer(context) },
  {
    pattern: "/mesh/controlplanes",
    async answer(_, context) {
      const { mesh } = context;
      const [{ version, problem }, deployments] = await Promise.all([istiodState(context), mesh.objects<KubeObject>(DEPLOYMENTS)]);
      const roots = rootCertificates(mesh);
      const managed = mesh
        .namespaces()
        .filter(({ metadata }) => metadata.labels?.["istio-injection"] === "enabled" || metadata.labels?.["istio.io/rev"] !== undefined);
      const home = { name: CLUSTER, accessible: true, apiEndpoint: "", isKialiHome: true, kialiInstances: [], secretName: "" };
      const config = { cluster: CLUSTER, name: "istio", namespace: ROOT_NAMESPACE, configMap: { mesh: meshText(mesh) } };
      return deployments
        .filter(({ metadata }) => metadata.namespace === ROOT_NAMESPACE && metadata.name.startsWith("istiod"))
        .map(({ metadata }) => ({
          cluster: home,
          config: {
            certificates: roots.map(({ issuer, notBefore, notAfter }) => ({
              issuer,
              notBefore,
              notAfter,
              dnsNames: [],
              configMapName: "istio-ca-root-cert",
              error: "",
              accessible: true,
              cluster: CLUSTER,
            })),
            effectiveConfig: config,
            standardConfig: config,
            network: "",
          },
          externalControlPlane: false,
          id: CLUSTER,
          istiodName: metadata.name,
          istiodNamespace: ROOT_NAMESPACE,
          managedClusters: [home],
          managesExternal: false,
          managedNamespaces: managed.map((n) => ({
            name: n.metadata.name,
            cluster: CLUSTER,
            labels: n.metadata.labels ?? {},
            annotations: {},
            isAmbient: false,
            isControlPlane: false,
            revision: "default",
          })),
          monitoringPort: 15_014,
          resources: {},
          revision: metadata.labels?.["istio.io/rev"] ?? "default",
          rootNamespace: ROOT_NAMESPACE,
          status: problem ? "Unreachable" : "Healthy",
          version: { name: "Istio", version },
        }));
    },
  },
  {
    pattern: "/mesh/graph",
    answer(_, context) {
      const list = components(context);
      const node = (id: string, name: string, infraType: string, status: string, namespace: string, more: Record<string, unknown> = {}) => ({
        data: { id, infraName: name, infraType, nodeType: "infra", cluster: CLUSTER, namespace, healthData: status, ...more },
      });
      const status = (name: string) => list.find((c) => c.name === name)?.status ?? "NotFound";
      const data = context.mesh.namespaces().filter(({ metadata }) => context.mesh.pods(metadata.name).some(hasProxy) && metadata.name !== ROOT_NAMESPACE);
      const nodes = [
        node("cluster", CLUSTER, "cluster", "Healthy", ""),
        node("istiod", "istiod", "istiod", status("istiod"), ROOT_NAMESPACE, { parent: "cluster", infraData: { version: VERSION, revision: "default" } }),
        node("kiali", "kiali", "kiali", "Healthy", ROOT_NAMESPACE, { parent: "cluster" }),
        node("prometheus", "Prometheus", "metricStore", status("prometheus"), ROOT_NAMESPACE, { parent: "cluster" }),
        node("dataplane", "Data Plane", "dataplane", "Healthy", "", {
          parent: "cluster",
          infraData: data.map(({ metadata }) => ({ name: metadata.name, labels: metadata.labels ?? {} })),
        }),
      ];
      const edge = (source: string, target: string) => ({ data: { id: `${source}-${target}`, source, target } });
      return {
        timestamp: Math.floor(context.clock.now() / 1000),
        elements: { nodes, edges: [edge("kiali", "istiod"), edge("kiali", "prometheus"), edge("istiod", "dataplane")] },
        meshNames: [trustDomain(context.mesh.meshConfig())],
      };
    },
  },
];

async function meshAnswer(context: ApiContext): Promise<MeshAnswer> {
  const { mesh } = context;
  const [{ version, problem, rows }, expiry] = await Promise.all([istiodState(context), certificateExpiry(context)]);
  const proxies = mesh
    .pods()
    .filter((pod) => hasProxy(pod) && !pod.metadata.deletionTimestamp)
    .map((pod): ProxyRow => {
      const [name, namespace] = [pod.metadata.name, pod.metadata.namespace ?? ""];
      const row = rows?.find((r) => r.proxy === `${name}.${namespace}`);
      const proxy = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find((c) => c.name === "istio-proxy");
      return {
        pod: name,
        namespace,
        workload: mesh.workloadByPod(namespace, name)?.workload ?? name,
        ready: isReady(pod),
        image: proxy?.image ?? "",
        version: row?.istio_version ?? "",
        connected: row !== undefined,
        sync: row && proxyStatus(row),
        lastSent: row && lastSent(row),
        certificateExpires: expiry.get(`${namespace}/${name}`),
      };
    });
  return {
    components: components(context),
    istiod: {
      version,
      problem,
      pods: mesh
        .pods(ROOT_NAMESPACE)
        .filter((pod) => pod.metadata.labels?.app === "istiod")
        .map((pod) => ({
          name: pod.metadata.name,
          ready: isReady(pod),
          restarts: pod.status?.containerStatuses?.reduce((sum, c) => sum + c.restartCount, 0) ?? 0,
        })),
    },
    trustDomain: trustDomain(mesh.meshConfig()),
    tls: { status: meshStatus(mesh.peerAuthentications()), autoMtls: autoMtlsEnabled(mesh.meshConfig()) },
    meshConfig: meshText(mesh),
    roots: rootCertificates(mesh),
    proxies: proxies.sort((a, b) => (`${a.namespace}/${a.pod}` < `${b.namespace}/${b.pod}` ? -1 : 1)),
  };
}

function components({ mesh }: ApiContext): Component[] {
  return COMPONENTS.flatMap(({ name, label, core }): Component[] => {
    const pods = mesh.pods(ROOT_NAMESPACE).filter((pod) => Object.entries(label).every(([key, value]) => pod.metadata.labels?.[key] === value));
    if (pods.length === 0 && !core) return [];
    const ready = pods.filter(isReady).length;
    return [
      {
        name,
        namespace: ROOT_NAMESPACE,
        cluster: CLUSTER,
        status: pods.length === 0 ? "NotFound" : ready === pods.length ? "Healthy" : ready > 0 ? "Unhealthy" : "NotReady",
        isCore: core,
      },
    ];
  });
}

async function istiodState({
  istiod,
}: ApiContext): Promise<{ version: string; problem: string | undefined; rows: Awaited<ReturnType<ApiContext["istiod"]["syncz"]>> | undefined }> {
  try {
    const [rows, version] = await Promise.all([istiod.syncz(), istiod.version()]);
    return { version, problem: undefined, rows };
  } catch (thrown) {
    return { version: "", problem: errorText(thrown), rows: undefined };
  }
}

/** When each pod's certificate ends, as its agent tells the metrics store. */
async function certificateExpiry({ queries, clock }: ApiContext): Promise<Map<string, number>> {
  // Without the metrics store the page still has the rest to show.
  const samples = await queries.instant("min(istio_agent_cert_expiry_seconds) by (namespace,pod)").catch(() => []);
  // To the minute: the gauge counts down while it is read.
  return new Map(samples.map(({ labels, value }) => [`${labels.namespace}/${labels.pod}`, Math.round((clock.now() + value * 1000) / 60_000) * 60_000]));
}

function rootCertificates(mesh: MeshView): RootCertificate[] {
  const pem = mesh.rootCertificates();
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((text) => {
    const certificate = new X509Certificate(text);
    return {
      issuer: certificate.issuer,
      serial: certificate.serialNumber,
      notBefore: new Date(certificate.validFrom).toISOString(),
      notAfter: new Date(certificate.validTo).toISOString(),
      algorithm: certificate.publicKey.asymmetricKeyType ?? "",
    };
  });
}

function meshText(mesh: MeshView): string {
  return (mesh.meshConfig()?.data as Record<string, string> | undefined)?.mesh ?? "";
}
