import * as cluster from "../columns/cluster.ts";
import * as more from "../columns/networking-storage.ts";
import { autoscalerConversion } from "../conversion/autoscalers.ts";
import { eventConversion } from "../conversion/events.ts";
import { ref } from "../schema/dsl.ts";
import { podColumns } from "../columns/pod.ts";
import { endpointsColumns, endpointSliceColumns, serviceColumns } from "../columns/service.ts";
import * as workloads from "../columns/workloads.ts";
import type { Event, Pod, Secret, Service } from "../core.ts";
import type { KubeObject, ResourceDefinition } from "../types.ts";
import { define, review } from "./define.ts";
import { devicesAndFlows, ipAddresses, serviceCidrs, storageDrivers } from "./stored.ts";

const STATUS = ["status"];
const SCALED = ["scale", "status"];

/** Every kind that the API server has of its own, in the order in which discovery lists groups and resources. */
export function builtinResources(): ResourceDefinition[] {
  return [
    ...core(),
    apiServices(),
    ...apps(),
    newEvents(),
    ...reviews(),
    ...batchAndScaling(),
    signingRequests(),
    ...networking(),
    ...access(),
    ...extension(),
    ...rest(),
  ];
}

function core(): ResourceDefinition[] {
  return [
    define("", "bindings", "Binding", { verbs: ["create"] }),
    define("", "componentstatuses", "ComponentStatus", {
      namespaced: false,
      shortNames: ["cs"],
      verbs: ["get", "list"],
      columns: cluster.componentStatusColumns,
    }),
    define("", "configmaps", "ConfigMap", { shortNames: ["cm"], columns: cluster.configMapColumns }),
    deprecated(
      define("", "endpoints", "Endpoints", { shortNames: ["ep"], listKind: "EndpointsList", columns: endpointsColumns }),
      "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ),
    define("", "events", "Event", { shortNames: ["ev"], columns: cluster.eventColumns, selectableFields: eventFields }),
    define("", "limitranges", "LimitRange", { shortNames: ["limits"] }),
    define("", "namespaces", "Namespace", {
      shortNames: ["ns"],
      namespaced: false,
      verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
      subresources: ["finalize", "status"],
      columns: cluster.namespaceColumns,
      selectableFields: { "status.phase": (o) => (o.status as { phase?: string } | undefined)?.phase ?? "" },
    }),
    define("", "nodes", "Node", {
      shortNames: ["no"],
      namespaced: false,
      subresources: ["proxy", "status"],
      columns: cluster.nodeColumns,
      selectableFields: { "spec.unschedulable": (o) => String((o.spec as { unschedulable?: boolean } | undefined)?.unschedulable ?? false) },
    }),
    define("", "persistentvolumeclaims", "PersistentVolumeClaim", { shortNames: ["pvc"], subresources: STATUS, columns: more.persistentVolumeClaimColumns }),
    define("", "persistentvolumes", "PersistentVolume", { shortNames: ["pv"], namespaced: false, subresources: STATUS, columns: more.persistentVolumeColumns }),
    define("", "pods", "Pod", {
      shortNames: ["po"],
      categories: ["all"],
      subresources: ["attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize", "status"],
      columns: podColumns,
      hasGeneration: true,
      selectableFields: podFields,
    }),
    define("", "podtemplates", "PodTemplate", { columns: workloads.podTemplateColumns, hasGeneration: true }),
    define("", "replicationcontrollers", "ReplicationController", {
      shortNames: ["rc"],
      categories: ["all"],
      subresources: SCALED,
      columns: workloads.replicationControllerColumns,
      hasGeneration: true,
      selectableFields: { "status.replicas": (o) => String((o.status as { replicas?: number } | undefined)?.replicas ?? 0) },
    }),
    define("", "resourcequotas", "ResourceQuota", { shortNames: ["quota"], subresources: STATUS, columns: more.resourceQuotaColumns }),
    define("", "secrets", "Secret", { columns: cluster.secretColumns, selectableFields: { type: (o) => (o as Secret).type ?? "" } }),
    define("", "serviceaccounts", "ServiceAccount", { shortNames: ["sa"], subresources: ["token"], columns: cluster.serviceAccountColumns }),
    define("", "services", "Service", {
      shortNames: ["svc"],
      categories: ["all"],
      subresources: ["proxy", "status"],
      columns: serviceColumns,
      selectableFields: {
        "spec.clusterIP": (o) => (o as Service).spec?.clusterIP ?? "",
        "spec.type": (o) => (o as Service).spec?.type ?? "",
      },
    }),
  ];
}

function deprecated(definition: ResourceDefinition, deprecation: string): ResourceDefinition {
  return { ...definition, versions: definition.versions.map((version) => ({ ...version, deprecation })) };
}

function apps(): ResourceDefinition[] {
  const app = (plural: string, kind: string, shortName: string, columns: ResourceDefinition["columns"], scaled = true) =>
    define("apps", plural, kind, { shortNames: [shortName], categories: ["all"], subresources: scaled ? SCALED : STATUS, columns, hasGeneration: true });
  return [
    define("apps", "controllerrevisions", "ControllerRevision", { columns: workloads.controllerRevisionColumns }),
    app("daemonsets", "DaemonSet", "ds", workloads.daemonSetColumns, false),
    app("deployments", "Deployment", "deploy", workloads.deploymentColumns),
    {
      ...app("replicasets", "ReplicaSet", "rs", workloads.replicaSetColumns),
      selectableFields: { "status.replicas": (o) => String((o.status as { replicas?: number } | undefined)?.replicas ?? 0) },
    },
    app("statefulsets", "StatefulSet", "sts", workloads.statefulSetColumns),
  ];
}

/** Events under the names that their newer group has for them. */
function newEvents(): ResourceDefinition {
  const event = define("events.k8s.io", "events", "Event", {
    shortNames: ["ev"],
    columns: cluster.eventColumns,
    selectableFields: newEventFields,
    storedAs: { group: "", plural: "events" },
  });
  return { ...event, versions: event.versions.map((version) => ({ ...version, conversion: eventConversion })) };
}

function apiServices(): ResourceDefinition {
  return define("apiregistration.k8s.io", "apiservices", "APIService", {
    namespaced: false,
    categories: ["api-extensions"],
    subresources: STATUS,
    columns: cluster.apiServiceColumns,
  });
}

function signingRequests(): ResourceDefinition {
  return define("certificates.k8s.io", "certificatesigningrequests", "CertificateSigningRequest", {
    namespaced: false,
    shortNames: ["csr"],
    subresources: ["approval", "status"],
    columns: cluster.signingRequestColumns,
    selectableFields: { "spec.signerName": (o) => (o.spec as { signerName?: string } | undefined)?.signerName ?? "" },
  });
}

function reviews(): ResourceDefinition[] {
  return [
    review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    review("authentication.k8s.io", "tokenreviews", "TokenReview"),
    review("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", { namespaced: true }),
    review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
  ];
}

function batchAndScaling(): ResourceDefinition[] {
  const autoscalers = define("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
    version: "v2",
    shortNames: ["hpa"],
    categories: ["all"],
    subresources: STATUS,
    columns: more.horizontalPodAutoscalerColumns,
  });
  return [
    {
      ...autoscalers,
      versions: [...autoscalers.versions, { name: "v1", schema: ref("autoscaling.v1.HorizontalPodAutoscaler"), conversion: autoscalerConversion }],
    },
    define("batch", "cronjobs", "CronJob", {
      shortNames: ["cj"],
      categories: ["all"],
      subresources: STATUS,
      columns: workloads.cronJobColumns,
      hasGeneration: true,
    }),
    define("batch", "jobs", "Job", {
      categories: ["all"],
      subresources: STATUS,
      columns: workloads.jobColumns,
      hasGeneration: true,
      selectableFields: { "status.successful": (o) => String((o.status as { succeeded?: number } | undefined)?.succeeded ?? 0) },
    }),
  ];
}

function networking(): ResourceDefinition[] {
  return [
    define("networking.k8s.io", "ingressclasses", "IngressClass", { namespaced: false, columns: more.ingressClassColumns, hasGeneration: true }),
    define("networking.k8s.io", "ingresses", "Ingress", { shortNames: ["ing"], subresources: STATUS, columns: more.ingressColumns, hasGeneration: true }),
    ipAddresses(),
    define("networking.k8s.io", "networkpolicies", "NetworkPolicy", { shortNames: ["netpol"], columns: cluster.networkPolicyColumns, hasGeneration: true }),
    serviceCidrs(),
    define("policy", "poddisruptionbudgets", "PodDisruptionBudget", {
      shortNames: ["pdb"],
      subresources: STATUS,
      columns: cluster.disruptionBudgetColumns,
      hasGeneration: true,
    }),
  ];
}

function access(): ResourceDefinition[] {
  const rbac = (plural: string, kind: string, namespaced: boolean, columns = cluster.defaultColumns) =>
    define("rbac.authorization.k8s.io", plural, kind, { namespaced, columns });
  return [
    rbac("clusterrolebindings", "ClusterRoleBinding", false, cluster.roleBindingColumns),
    rbac("clusterroles", "ClusterRole", false),
    rbac("rolebindings", "RoleBinding", true, cluster.roleBindingColumns),
    rbac("roles", "Role", true),
  ];
}

function extension(): ResourceDefinition[] {
  const categories = ["api-extensions"];
  const admission = (plural: string, kind: string, columns: ResourceDefinition["columns"], subresources: string[] = []) =>
    define("admissionregistration.k8s.io", plural, kind, { namespaced: false, categories, columns, subresources, hasGeneration: true });
  const drivers = storageDrivers();
  return [
    ...drivers.before,
    define("storage.k8s.io", "storageclasses", "StorageClass", { namespaced: false, shortNames: ["sc"], columns: more.storageClassColumns }),
    ...drivers.after,
    admission("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", cluster.webhookConfigurationColumns),
    admission("validatingadmissionpolicies", "ValidatingAdmissionPolicy", cluster.admissionPolicyColumns, STATUS),
    admission("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", cluster.admissionPolicyBindingColumns),
    admission("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", cluster.webhookConfigurationColumns),
    define("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", {
      component: "apiextensions.v1.CustomResourceDefinition",
      namespaced: false,
      shortNames: ["crd", "crds"],
      categories,
      subresources: STATUS,
      hasGeneration: true,
    }),
  ];
}

function rest(): ResourceDefinition[] {
  return [
    define("scheduling.k8s.io", "priorityclasses", "PriorityClass", {
      namespaced: false,
      shortNames: ["pc"],
      columns: cluster.priorityClassColumns,
      hasGeneration: true,
    }),
    define("coordination.k8s.io", "leases", "Lease", { columns: cluster.leaseColumns }),
    define("node.k8s.io", "runtimeclasses", "RuntimeClass", { namespaced: false, columns: cluster.runtimeClassColumns }),
    define("discovery.k8s.io", "endpointslices", "EndpointSlice", { columns: endpointSliceColumns, hasGeneration: true }),
    ...devicesAndFlows(),
  ];
}

const podFields: ResourceDefinition["selectableFields"] = {
  "spec.nodeName": (o) => (o as Pod).spec?.nodeName ?? "",
  "spec.restartPolicy": (o) => (o as Pod).spec?.restartPolicy ?? "",
  "spec.schedulerName": (o) => (o as Pod).spec?.schedulerName ?? "",
  "spec.serviceAccountName": (o) => (o as Pod).spec?.serviceAccountName ?? "",
  "spec.hostNetwork": (o) => String((o as Pod).spec?.hostNetwork ?? false),
  "status.phase": (o) => (o as Pod).status?.phase ?? "",
  "status.podIP": (o) => (o as Pod).status?.podIP ?? "",
  "status.nominatedNodeName": (o) => (o as Pod).status?.nominatedNodeName ?? "",
};

const involved = (field: "kind" | "namespace" | "name" | "uid" | "apiVersion" | "resourceVersion" | "fieldPath") => (o: KubeObject) =>
  (o as Event).involvedObject?.[field] ?? "";
const eventFields: ResourceDefinition["selectableFields"] = {
  "involvedObject.kind": involved("kind"),
  "involvedObject.namespace": involved("namespace"),
  "involvedObject.name": involved("name"),
  "involvedObject.uid": involved("uid"),
  "involvedObject.apiVersion": involved("apiVersion"),
  "involvedObject.resourceVersion": involved("resourceVersion"),
  "involvedObject.fieldPath": involved("fieldPath"),
  reason: (o) => (o as Event).reason ?? "",
  reportingComponent: (o) => (o as Event).reportingComponent ?? "",
  source: (o) => (o as Event).source?.component || (o as Event).reportingComponent || "",
  type: (o) => (o as Event).type ?? "",
};

const regarding = (field: "kind" | "namespace" | "name" | "uid" | "apiVersion" | "resourceVersion" | "fieldPath"): [string, (o: KubeObject) => string] => [
  `regarding.${field}`,
  involved(field),
];
const newEventFields: ResourceDefinition["selectableFields"] = {
  ...Object.fromEntries([
    regarding("kind"),
    regarding("namespace"),
    regarding("name"),
    regarding("uid"),
    regarding("apiVersion"),
    regarding("resourceVersion"),
    regarding("fieldPath"),
  ]),
  reason: (o) => (o as Event).reason ?? "",
  reportingController: (o) => (o as Event).reportingComponent ?? "",
  type: (o) => (o as Event).type ?? "",
};
