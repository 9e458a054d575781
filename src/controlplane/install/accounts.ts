import type { PolicyRule, Role, RoleBinding, ServiceAccount } from "../../resources/index.ts";
import { nameLabels } from "./labels.ts";
import { revisionSuffix, type InstallValues } from "./values.ts";

const RBAC = "rbac.authorization.k8s.io/v1";
const READ = ["get", "watch", "list"];

/** Service accounts of the control plane. Each revision's istiod has its own, so that one can go without the others. */
export function serviceAccounts(values: InstallValues): ServiceAccount[] {
  return ["istiod", "istio-reader"].map((app) => ({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: app === "istiod" ? istiodAccount(values) : "istio-reader-service-account", namespace: values.namespace, labels: nameLabels(values, app) },
  }));
}

/** Who a revision's istiod is to the API server. */
export function istiodAccount(values: InstallValues): string {
  return `istiod${revisionSuffix(values)}`;
}

/** Roles and their bindings, under Istio's names. */
export function roles(values: InstallValues): (Role | RoleBinding)[] {
  const { namespace } = values;
  const istiod = istiodAccount(values);
  const cluster = (name: string, account: string, rules: PolicyRule[]): (Role | RoleBinding)[] => {
    const metadata = { name: `${name}${revisionSuffix(values)}-${namespace}`, labels: nameLabels(values, account === istiod ? "istiod" : "istio-reader") };
    return [
      { apiVersion: RBAC, kind: "ClusterRole", metadata, rules },
      {
        apiVersion: RBAC,
        kind: "ClusterRoleBinding",
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: metadata.name },
        subjects: [{ kind: "ServiceAccount", name: account, namespace }],
      },
    ];
  };
  return [
    ...cluster("istiod-clusterrole", istiod, ISTIOD_RULES),
    ...cluster("istio-reader-clusterrole", "istio-reader-service-account", READER_RULES),
    ...namespacedRole(values, istiod, istiod, ISTIOD_LOCAL_RULES, "istiod"),
  ];
}

/** A Role and its binding in istiod's namespace. */
export function namespacedRole(
  values: InstallValues,
  name: string,
  account: string,
  rules: PolicyRule[],
  app = name.replace(/-sds$/, ""),
): (Role | RoleBinding)[] {
  const metadata = { name, namespace: values.namespace, labels: nameLabels(values, app) };
  return [
    { apiVersion: RBAC, kind: "Role", metadata, rules },
    {
      apiVersion: RBAC,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace: values.namespace }],
    },
  ];
}

/** Everything istiod reads, and the little that it writes outside its own namespace. */
const ISTIOD_RULES: PolicyRule[] = [
  {
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    verbs: ["get", "list", "watch", "update", "patch"],
  },
  { apiGroups: ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"], resources: ["*"], verbs: READ },
  {
    apiGroups: ["networking.istio.io"],
    resources: ["workloadentries", "workloadentries/status", "serviceentries/status"],
    verbs: ["get", "watch", "list", "update", "patch", "create", "delete"],
  },
  { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: READ },
  { apiGroups: [""], resources: ["pods", "nodes", "services", "namespaces", "endpoints", "serviceaccounts"], verbs: READ },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  // Identities of workloads that are about to start, so that clients know them before their first pod is ready.
  { apiGroups: ["apps"], resources: ["deployments", "statefulsets"], verbs: READ },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses", "ingressclasses"], verbs: READ },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses/status"], verbs: ["*"] },
  // The trust bundle in every namespace.
  { apiGroups: [""], resources: ["configmaps"], verbs: ["create", "get", "list", "watch", "update", "patch"] },
  // Gateways' certificates.
  { apiGroups: [""], resources: ["secrets"], verbs: READ },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
];

const READER_RULES: PolicyRule[] = [
  { apiGroups: ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"], resources: ["*"], verbs: READ },
  { apiGroups: [""], resources: ["endpoints", "pods", "services", "nodes", "replicationcontrollers", "namespaces", "secrets"], verbs: READ },
  { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: READ },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  { apiGroups: ["apps"], resources: ["replicasets"], verbs: READ },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
];

const ISTIOD_LOCAL_RULES: PolicyRule[] = [
  // A dry run of an invalid Gateway shows whether the validation webhook is called.
  { apiGroups: ["networking.istio.io"], resources: ["gateways"], verbs: ["create"] },
  // The self-signed root, and where its rotation stands.
  { apiGroups: [""], resources: ["secrets"], verbs: ["create", "get", "watch", "list", "update", "patch", "delete"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["delete"] },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "update", "patch", "create"] },
];
