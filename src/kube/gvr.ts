import type { GroupVersionResource } from "./types.ts";

const core = (resource: string): GroupVersionResource => ({ group: "", version: "v1", resource });
const v1 = (group: string, resource: string): GroupVersionResource => ({ group, version: "v1", resource });

export const PODS = core("pods");
export const SERVICES = core("services");
export const ENDPOINTS = core("endpoints");
export const NAMESPACES = core("namespaces");
export const NODES = core("nodes");
export const CONFIG_MAPS = core("configmaps");
export const SECRETS = core("secrets");
export const SERVICE_ACCOUNTS = core("serviceaccounts");
export const EVENTS = core("events");
export const PERSISTENT_VOLUME_CLAIMS = core("persistentvolumeclaims");
export const PERSISTENT_VOLUMES = core("persistentvolumes");
export const DEPLOYMENTS = v1("apps", "deployments");
export const REPLICA_SETS = v1("apps", "replicasets");
export const STATEFUL_SETS = v1("apps", "statefulsets");
export const DAEMON_SETS = v1("apps", "daemonsets");
export const CONTROLLER_REVISIONS = v1("apps", "controllerrevisions");
export const JOBS = v1("batch", "jobs");
export const CRON_JOBS = v1("batch", "cronjobs");
export const ENDPOINT_SLICES = v1("discovery.k8s.io", "endpointslices");
export const CERTIFICATE_SIGNING_REQUESTS = v1("certificates.k8s.io", "certificatesigningrequests");
export const POD_DISRUPTION_BUDGETS = v1("policy", "poddisruptionbudgets");
export const STORAGE_CLASSES = v1("storage.k8s.io", "storageclasses");
export const LEASES = v1("coordination.k8s.io", "leases");
export const ROLES = v1("rbac.authorization.k8s.io", "roles");
export const ROLE_BINDINGS = v1("rbac.authorization.k8s.io", "rolebindings");
export const CLUSTER_ROLES = v1("rbac.authorization.k8s.io", "clusterroles");
export const CLUSTER_ROLE_BINDINGS = v1("rbac.authorization.k8s.io", "clusterrolebindings");
export const CUSTOM_RESOURCE_DEFINITIONS = v1("apiextensions.k8s.io", "customresourcedefinitions");
export const MUTATING_WEBHOOK_CONFIGURATIONS = v1("admissionregistration.k8s.io", "mutatingwebhookconfigurations");
export const VALIDATING_WEBHOOK_CONFIGURATIONS = v1("admissionregistration.k8s.io", "validatingwebhookconfigurations");
export const INGRESSES = v1("networking.k8s.io", "ingresses");
export const NETWORK_POLICIES = v1("networking.k8s.io", "networkpolicies");
export const INGRESS_CLASSES = v1("networking.k8s.io", "ingressclasses");
export const TOKEN_REVIEWS = v1("authentication.k8s.io", "tokenreviews");
export const SUBJECT_ACCESS_REVIEWS = v1("authorization.k8s.io", "subjectaccessreviews");

export const PEER_AUTHENTICATIONS = v1("security.istio.io", "peerauthentications");
export const REQUEST_AUTHENTICATIONS = v1("security.istio.io", "requestauthentications");
export const AUTHORIZATION_POLICIES = v1("security.istio.io", "authorizationpolicies");
export const VIRTUAL_SERVICES = v1("networking.istio.io", "virtualservices");
export const DESTINATION_RULES = v1("networking.istio.io", "destinationrules");
export const GATEWAYS = v1("networking.istio.io", "gateways");
export const SERVICE_ENTRIES = v1("networking.istio.io", "serviceentries");
export const WORKLOAD_ENTRIES = v1("networking.istio.io", "workloadentries");
export const WORKLOAD_GROUPS = v1("networking.istio.io", "workloadgroups");
export const SIDECARS = v1("networking.istio.io", "sidecars");
export const ENVOY_FILTERS: GroupVersionResource = { group: "networking.istio.io", version: "v1alpha3", resource: "envoyfilters" };
export const PROXY_CONFIGS: GroupVersionResource = { group: "networking.istio.io", version: "v1beta1", resource: "proxyconfigs" };
export const TELEMETRIES = v1("telemetry.istio.io", "telemetries");
export const TRAFFIC_EXTENSIONS: GroupVersionResource = { group: "extensions.istio.io", version: "v1alpha1", resource: "trafficextensions" };
export const WASM_PLUGINS: GroupVersionResource = { group: "extensions.istio.io", version: "v1alpha1", resource: "wasmplugins" };

/** `/api/v1/namespaces/ns/pods/name/sub` or `/apis/group/version/…`; every part is escaped. */
export function resourcePath(gvr: GroupVersionResource, namespace?: string, name?: string, subresource?: string): string {
  let path = gvr.group === "" ? `/api/${gvr.version}` : `/apis/${gvr.group}/${gvr.version}`;
  if (namespace) path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${gvr.resource}`;
  if (name !== undefined) path += `/${encodeURIComponent(name)}`;
  if (subresource) path += `/${subresource}`;
  return path;
}
