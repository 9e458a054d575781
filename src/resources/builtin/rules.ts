/** Which defaults and which validation belong to which kind. */
import * as clusterDefaults from "../defaults/cluster.ts";
import { defaultPod } from "../defaults/pod.ts";
import { defaultService } from "../defaults/service.ts";
import * as storedDefaults from "../defaults/stored.ts";
import * as workloadDefaults from "../defaults/workloads.ts";
import type { FieldError, KubeObject } from "../types.ts";
import * as cluster from "../validation/cluster.ts";
import { validateAutoscaler } from "../validation/autoscalers.ts";
import { validateIngress, validateIngressClass } from "../validation/ingress.ts";
import { validateCronJob, validateJob, validateJobUpdate } from "../validation/jobs.ts";
import { validateLimitRange, validateResourceQuota } from "../validation/quotas.ts";
import { validateWebhooks } from "../validation/webhooks.ts";
import { validateAdmissionPolicy, validateAdmissionPolicyBinding } from "../validation/policies.ts";
import { validateCrd, validateCrdUpdate } from "../validation/definitions.ts";
import { validateFinalizers, validateMetadata } from "../validation/metadata.ts";
import { dns1035Label, dns1123Label, dns1123Subdomain, pathSegment } from "../validation/names.ts";
import { validateNetworkPolicy } from "../validation/network-policy.ts";
import { validatePod, validatePodCreate, validatePodUpdate } from "../validation/pods/index.ts";
import * as service from "../validation/service.ts";
import * as storage from "../validation/storage.ts";
import * as workloads from "../validation/workloads.ts";
import { cronJobWarnings, podWarnings, templateWarnings } from "../warnings/pod.ts";
import { secretWarnings } from "../warnings/secret.ts";
import { ingressWarnings, serviceWarnings } from "../warnings/service.ts";

interface Rules {
  name?: (name: string) => string[];
  setDefaults?(object: KubeObject, old?: KubeObject): void;
  validate?(object: KubeObject): FieldError[];
  validateCreate?(object: KubeObject): FieldError[];
  validateUpdate?(object: KubeObject, old: KubeObject): FieldError[];
  warnings?(object: KubeObject, old?: KubeObject): string[];
  /** Whether finalizers need a domain: kinds of the API's own machinery do not ask for it. */
  anyFinalizer?: boolean;
}

/** Rules written for a kind's own type, taken for objects that are known to be of that kind. */
const rules = <T extends KubeObject>(own: {
  name?: (name: string) => string[];
  setDefaults?: (object: T, old?: T) => void;
  validate?: (object: T) => FieldError[];
  validateCreate?: (object: T) => FieldError[];
  validateUpdate?: (object: T, old: T) => FieldError[];
  warnings?: (object: T, old?: T) => string[];
  anyFinalizer?: boolean;
}): Rules => own as unknown as Rules;

const access = {
  name: pathSegment,
  setDefaults: clusterDefaults.defaultRoleBinding,
  validate: cluster.validateRoleBinding,
  validateUpdate: cluster.validateRoleBindingUpdate,
};
const webhooks = { setDefaults: clusterDefaults.defaultWebhooks, validate: validateWebhooks };

const BY_KIND: Record<string, Rules> = {
  Pod: rules({ setDefaults: defaultPod, validate: validatePod, validateCreate: validatePodCreate, validateUpdate: validatePodUpdate, warnings: podWarnings }),
  PodTemplate: rules({ setDefaults: workloadDefaults.defaultPodTemplateObject, validate: workloads.validatePodTemplateObject }),
  Service: rules({
    name: dns1035Label,
    setDefaults: defaultService,
    validate: service.validateService,
    validateUpdate: service.validateServiceUpdate,
    warnings: serviceWarnings,
  }),
  Namespace: rules({ name: dns1123Label, setDefaults: clusterDefaults.defaultNamespace }),
  Node: rules({ setDefaults: clusterDefaults.defaultNode, validate: cluster.validateNode, validateUpdate: cluster.validateNodeUpdate }),
  LimitRange: rules({ setDefaults: clusterDefaults.defaultLimitRange, validate: validateLimitRange }),
  ResourceQuota: rules({ setDefaults: clusterDefaults.defaultResourceQuota, validate: validateResourceQuota }),
  ConfigMap: rules({ validate: cluster.validateConfigMap, validateUpdate: cluster.validateImmutableData }),
  Secret: rules({
    setDefaults: clusterDefaults.defaultSecret,
    validate: cluster.validateSecret,
    validateUpdate: cluster.validateSecretUpdate,
    warnings: secretWarnings,
  }),
  APIService: rules({ setDefaults: clusterDefaults.defaultApiService, anyFinalizer: true }),
  CertificateSigningRequest: rules({ setDefaults: clusterDefaults.defaultSigningRequest, validate: cluster.validateSigningRequest }),
  RuntimeClass: rules({ validate: cluster.validateRuntimeClass }),
  Event: rules({ setDefaults: clusterDefaults.defaultEvent, validate: cluster.validateEvent }),
  Endpoints: rules({ setDefaults: clusterDefaults.defaultEndpoints, validate: service.validateEndpoints }),
  PersistentVolumeClaim: rules({ setDefaults: workloadDefaults.defaultClaim, validate: storage.validateClaim, validateUpdate: storage.validateClaimUpdate }),
  PersistentVolume: rules({
    setDefaults: workloadDefaults.defaultVolumeObject,
    validate: storage.validateVolume,
    validateUpdate: storage.validateVolumeUpdate,
  }),
  ReplicationController: rules({
    setDefaults: workloadDefaults.defaultReplicationController,
    validate: workloads.validateReplicationController,
    warnings: templateWarnings,
  }),
  Deployment: rules({
    setDefaults: workloadDefaults.defaultDeployment,
    validate: workloads.validateDeployment,
    validateUpdate: workloads.validateSelectorUpdate,
    warnings: templateWarnings,
  }),
  ReplicaSet: rules({
    setDefaults: workloadDefaults.defaultReplicaSet,
    validate: workloads.validateReplicaSet,
    validateUpdate: workloads.validateSelectorUpdate,
    warnings: templateWarnings,
  }),
  StatefulSet: rules({
    setDefaults: workloadDefaults.defaultStatefulSet,
    validate: workloads.validateStatefulSet,
    validateUpdate: workloads.validateStatefulSetUpdate,
    warnings: templateWarnings,
  }),
  DaemonSet: rules({
    setDefaults: workloadDefaults.defaultDaemonSet,
    validate: workloads.validateDaemonSet,
    validateUpdate: workloads.validateSelectorUpdate,
    warnings: templateWarnings,
  }),
  Job: rules({ setDefaults: workloadDefaults.defaultJob, validate: validateJob, validateUpdate: validateJobUpdate, warnings: templateWarnings }),
  CronJob: rules({ setDefaults: workloadDefaults.defaultCronJob, validate: validateCronJob, warnings: cronJobWarnings }),
  HorizontalPodAutoscaler: rules({ setDefaults: workloadDefaults.defaultAutoscaler, validate: validateAutoscaler }),
  PodDisruptionBudget: rules({ setDefaults: workloadDefaults.defaultDisruptionBudget, validate: workloads.validateDisruptionBudget }),
  EndpointSlice: rules({
    setDefaults: clusterDefaults.defaultEndpointSlice,
    validate: service.validateEndpointSlice,
    validateUpdate: service.validateEndpointSliceUpdate,
  }),
  Role: rules({ name: pathSegment, setDefaults: clusterDefaults.defaultRole, validate: cluster.validateRole }),
  ClusterRole: rules({ name: pathSegment, setDefaults: clusterDefaults.defaultRole, validate: cluster.validateRole }),
  RoleBinding: rules(access),
  ClusterRoleBinding: rules(access),
  MutatingWebhookConfiguration: rules(webhooks),
  ValidatingWebhookConfiguration: rules(webhooks),
  ValidatingAdmissionPolicy: rules({ setDefaults: clusterDefaults.defaultAdmissionPolicy, validate: validateAdmissionPolicy, anyFinalizer: true }),
  ValidatingAdmissionPolicyBinding: rules({
    setDefaults: clusterDefaults.defaultAdmissionPolicyBinding,
    validate: validateAdmissionPolicyBinding,
    anyFinalizer: true,
  }),
  CustomResourceDefinition: rules({ setDefaults: clusterDefaults.defaultCrd, validate: validateCrd, validateUpdate: validateCrdUpdate, anyFinalizer: true }),
  Ingress: rules({ setDefaults: clusterDefaults.defaultIngress, validate: validateIngress, warnings: ingressWarnings }),
  IngressClass: rules({ setDefaults: clusterDefaults.defaultIngressClass, validate: validateIngressClass }),
  NetworkPolicy: rules({ setDefaults: clusterDefaults.defaultNetworkPolicy, validate: validateNetworkPolicy }),
  PriorityClass: rules({ setDefaults: clusterDefaults.defaultPriorityClass, validate: cluster.validatePriorityClass }),
  Lease: rules({ validate: cluster.validateLease }),
  CSIDriver: rules({ setDefaults: storedDefaults.defaultCsiDriver }),
  CSIStorageCapacity: rules({ setDefaults: storedDefaults.defaultStorageCapacity }),
  VolumeAttachment: rules({ setDefaults: storedDefaults.defaultVolumeAttachment }),
  ServiceCIDR: rules({ setDefaults: storedDefaults.defaultServiceCidr }),
  ResourceSlice: rules({ setDefaults: storedDefaults.defaultResourceSlice }),
  ResourceClaim: rules({ setDefaults: storedDefaults.defaultResourceClaim }),
  ResourceClaimTemplate: rules({ setDefaults: storedDefaults.defaultResourceClaimTemplate }),
  FlowSchema: rules({ setDefaults: storedDefaults.defaultFlowSchema }),
  PriorityLevelConfiguration: rules({ setDefaults: storedDefaults.defaultPriorityLevel }),
  StorageClass: rules({
    setDefaults: clusterDefaults.defaultStorageClass,
    validate: storage.validateStorageClass,
    validateUpdate: storage.validateStorageClassUpdate,
  }),
  TokenRequest: rules({ setDefaults: clusterDefaults.defaultTokenRequest }),
};

/** setDefaults, validate, validateUpdate and warnings of a built-in kind; metadata is checked by the kind's own rule for names. */
export function rulesOf(kind: string): Pick<Rules, "setDefaults" | "validate" | "validateCreate" | "validateUpdate" | "warnings"> {
  const own = BY_KIND[kind];
  const nameRule = own?.name ?? dns1123Subdomain;
  return {
    ...(own?.setDefaults ? { setDefaults: own.setDefaults } : {}),
    validate: (object) => [...validateMetadata(object, nameRule), ...(own?.anyFinalizer ? [] : validateFinalizers(object)), ...(own?.validate?.(object) ?? [])],
    ...(own?.validateCreate ? { validateCreate: own.validateCreate } : {}),
    ...(own?.validateUpdate ? { validateUpdate: own.validateUpdate } : {}),
    ...(own?.warnings ? { warnings: own.warnings } : {}),
  };
}
