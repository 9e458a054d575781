import type { KubeObject } from "../../../resources/index.ts";
import type { PolicyRule } from "../auth/rbac.ts";

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const LABELS = { "kubernetes.io/bootstrapping": "rbac-defaults" };
/** What real servers mark roles with that they keep in order at each start. */
const ANNOTATIONS = { "rbac.authorization.kubernetes.io/autoupdate": "true" };

function rule(verbs: string[], group: string, ...resources: string[]): PolicyRule {
  return { verbs, apiGroups: [group], resources };
}

const VIEW: PolicyRule[] = [
  rule(
    READ,
    "",
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
    "services/status",
  ),
  rule(
    READ,
    "",
    "bindings",
    "events",
    "limitranges",
    "namespaces/status",
    "pods/log",
    "pods/status",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
  ),
  rule(READ, "", "namespaces"),
  rule(READ, "discovery.k8s.io", "endpointslices"),
  rule(
    READ,
    "apps",
    "controllerrevisions",
    "daemonsets",
    "daemonsets/status",
    "deployments",
    "deployments/scale",
    "deployments/status",
    "replicasets",
    "replicasets/scale",
    "replicasets/status",
    "statefulsets",
    "statefulsets/scale",
    "statefulsets/status",
  ),
  rule(READ, "autoscaling", "horizontalpodautoscalers", "horizontalpodautoscalers/status"),
  rule(READ, "batch", "cronjobs", "cronjobs/status", "jobs", "jobs/status"),
  rule(READ, "policy", "poddisruptionbudgets", "poddisruptionbudgets/status"),
  rule(READ, "networking.k8s.io", "ingresses", "ingresses/status", "networkpolicies"),
];

const EDIT: PolicyRule[] = [
  rule(READ, "", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"),
  rule(["impersonate"], "", "serviceaccounts"),
  rule(WRITE, "", "pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"),
  rule(["create"], "", "pods/eviction"),
  rule(
    WRITE,
    "",
    "configmaps",
    "events",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "services",
    "services/proxy",
  ),
  rule(["create"], "", "serviceaccounts/token"),
  rule(
    WRITE,
    "apps",
    "daemonsets",
    "deployments",
    "deployments/rollback",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
    "statefulsets",
    "statefulsets/scale",
  ),
  rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
  rule(WRITE, "batch", "cronjobs", "jobs"),
  rule(WRITE, "policy", "poddisruptionbudgets"),
  rule(WRITE, "networking.k8s.io", "ingresses", "networkpolicies"),
  rule([...WRITE, ...READ], "coordination.k8s.io", "leases"),
];

const ADMIN: PolicyRule[] = [
  rule(["create"], "authorization.k8s.io", "localsubjectaccessreviews"),
  rule([...WRITE, ...READ], "rbac.authorization.k8s.io", "rolebindings", "roles"),
];

const INFO_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"];

/** The cluster roles and bindings that every cluster has. */
export function defaultRbac(): KubeObject[] {
  return [
    role("cluster-admin", [rule(["*"], "*", "*"), { verbs: ["*"], nonResourceURLs: ["*"] }]),
    aggregate("admin", "admin"),
    aggregate("edit", "edit", "admin"),
    aggregate("view", "view", "edit"),
    role("system:aggregate-to-admin", ADMIN, { "rbac.authorization.k8s.io/aggregate-to-admin": "true" }),
    role("system:aggregate-to-edit", EDIT, { "rbac.authorization.k8s.io/aggregate-to-edit": "true" }),
    role("system:aggregate-to-view", VIEW, { "rbac.authorization.k8s.io/aggregate-to-view": "true" }),
    role("system:aggregated-metrics-reader", [rule(READ, "metrics.k8s.io", "nodes", "pods")], {
      "rbac.authorization.k8s.io/aggregate-to-admin": "true",
      "rbac.authorization.k8s.io/aggregate-to-edit": "true",
      "rbac.authorization.k8s.io/aggregate-to-view": "true",
    }),
    role("system:discovery", [{ verbs: ["get"], nonResourceURLs: DISCOVERY_PATHS }]),
    role("system:public-info-viewer", [{ verbs: ["get"], nonResourceURLs: INFO_PATHS }]),
    role("system:basic-user", [
      rule(["create"], "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
      rule(["create"], "authentication.k8s.io", "selfsubjectreviews"),
    ]),
    role("system:service-account-issuer-discovery", [
      { verbs: ["get"], nonResourceURLs: ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"] },
    ]),
    role("system:auth-delegator", [
      rule(["create"], "authentication.k8s.io", "tokenreviews"),
      rule(["create"], "authorization.k8s.io", "subjectaccessreviews"),
    ]),
    binding("cluster-admin", "cluster-admin", "system:masters"),
    binding("system:discovery", "system:discovery", "system:authenticated"),
    binding("system:basic-user", "system:basic-user", "system:authenticated"),
    binding("system:public-info-viewer", "system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
    binding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", "system:serviceaccounts"),
  ];
}

function role(name: string, rules: PolicyRule[], labels: Record<string, string> = {}): KubeObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name, labels: { ...LABELS, ...labels }, annotations: ANNOTATIONS },
    rules,
  };
}

/** A role that gathers the rules of all roles labelled for it, users' own included. */
function aggregate(name: string, collects: string, partOf?: string): KubeObject {
  const selector = { matchLabels: { [`rbac.authorization.k8s.io/aggregate-to-${collects}`]: "true" } };
  const labels = partOf ? { [`rbac.authorization.k8s.io/aggregate-to-${partOf}`]: "true" } : {};
  return { ...role(name, [], labels), aggregationRule: { clusterRoleSelectors: [selector] } };
}

function binding(name: string, roleName: string, ...groups: string[]): KubeObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name, labels: LABELS, annotations: ANNOTATIONS },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roleName },
    subjects: groups.map((group) => ({ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: group })),
  };
}
