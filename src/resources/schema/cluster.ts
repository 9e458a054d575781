import {
  any,
  atomicObj,
  bool,
  bytes,
  double,
  freeObject,
  int32,
  int64,
  intOrString,
  kind,
  list,
  map,
  mapList,
  microTime,
  obj,
  ref,
  str,
  time,
  type Components,
  zeroTime,
  atomicMap,
  quantity,
} from "./dsl.ts";
import type { Schema } from "../types.ts";

const selector = ref("meta.v1.LabelSelector");
const rbac = (name: string, fields: Record<string, Schema>) => kind("rbac.authorization.k8s.io", "v1", name, fields);
const roleRef = () => atomicObj({ "apiGroup!": str, "kind!": str, "name!": str });
const subjects = () => list(atomicObj({ apiGroup: str, "kind!": str, "name!": str, namespace: str }));
const admission = (name: string, fields: Record<string, Schema>) => kind("admissionregistration.k8s.io", "v1", name, fields);
const matchConditions = () => mapList(obj({ "expression!": str, "name!": str }), ["name"]);
const ruleFields = { apiGroups: list(str), apiVersions: list(str), operations: list(str), resources: list(str), scope: str };
const clientConfig = () => obj({ caBundle: bytes, service: obj({ "name!": str, "namespace!": str, path: str, port: int32 }), url: str });
const webhookFields = (): Record<string, Schema> => ({
  "admissionReviewVersions!": list(str),
  "clientConfig!": clientConfig(),
  failurePolicy: str,
  matchConditions: matchConditions(),
  matchPolicy: str,
  "name!": str,
  namespaceSelector: selector,
  objectSelector: selector,
  rules: list(obj(ruleFields)),
  "sideEffects!": str,
  timeoutSeconds: int32,
});
const matchResources = () => {
  const rules = () => list(atomicObj({ ...ruleFields, resourceNames: list(str) }));
  return atomicObj({ excludeResourceRules: rules(), matchPolicy: str, namespaceSelector: selector, objectSelector: selector, resourceRules: rules() });
};
const networking = (name: string, fields: Record<string, Schema>) => kind("networking.k8s.io", "v1", name, fields);
const userInfo = () => obj({ extra: map(list(str)), groups: list(str), uid: str, username: str });
const accessAttributes = () => ({
  nonResourceAttributes: obj({ path: str, verb: str }),
  resourceAttributes: obj({
    fieldSelector: freeObject,
    group: str,
    labelSelector: freeObject,
    name: str,
    namespace: str,
    resource: str,
    subresource: str,
    verb: str,
    version: str,
  }),
});
const accessStatus = () => obj({ "allowed!": bool, denied: bool, evaluationError: str, reason: str });
const authorization = (name: string, spec: Schema, status: Schema = accessStatus()) => kind("authorization.k8s.io", "v1", name, { "spec!": spec, status });
const subjectAccessSpec = () => obj({ ...accessAttributes(), extra: map(list(str)), groups: list(str), uid: str, user: str });

/** Access control, admission, custom resources, networking, discovery, scheduling, storage, reviews. */
export const clusterComponents: Components = {
  "rbac.v1.Role": () => rbac("Role", { rules: list(ref("rbac.v1.PolicyRule")) }),
  "rbac.v1.ClusterRole": () => rbac("ClusterRole", { aggregationRule: obj({ clusterRoleSelectors: list(selector) }), rules: list(ref("rbac.v1.PolicyRule")) }),
  "rbac.v1.PolicyRule": () => obj({ apiGroups: list(str), nonResourceURLs: list(str), resourceNames: list(str), resources: list(str), "verbs!": list(str) }),
  "rbac.v1.RoleBinding": () => rbac("RoleBinding", { "roleRef!": roleRef(), subjects: subjects() }),
  "rbac.v1.ClusterRoleBinding": () => rbac("ClusterRoleBinding", { "roleRef!": roleRef(), subjects: subjects() }),

  "admissionregistration.v1.MutatingWebhookConfiguration": () =>
    admission("MutatingWebhookConfiguration", { webhooks: mapList(ref("admissionregistration.v1.MutatingWebhook"), ["name"]) }),
  "admissionregistration.v1.MutatingWebhook": () => obj({ ...webhookFields(), reinvocationPolicy: str }),
  "admissionregistration.v1.ValidatingWebhookConfiguration": () =>
    admission("ValidatingWebhookConfiguration", { webhooks: mapList(ref("admissionregistration.v1.ValidatingWebhook"), ["name"]) }),
  "admissionregistration.v1.ValidatingWebhook": () => obj(webhookFields()),
  "admissionregistration.v1.ValidatingAdmissionPolicy": () =>
    admission("ValidatingAdmissionPolicy", {
      spec: obj({
        auditAnnotations: list(obj({ "key!": str, "valueExpression!": str })),
        failurePolicy: str,
        matchConditions: matchConditions(),
        matchConstraints: matchResources(),
        paramKind: atomicObj({ apiVersion: str, kind: str }),
        validations: list(obj({ "expression!": str, message: str, messageExpression: str, reason: str })),
        variables: mapList(atomicObj({ "expression!": str, "name!": str }), ["name"]),
      }),
      status: obj({
        conditions: mapList(ref("meta.v1.Condition"), ["type"]),
        observedGeneration: int64,
        typeChecking: obj({ expressionWarnings: list(obj({ "fieldRef!": str, "warning!": str })) }),
      }),
    }),
  "admissionregistration.v1.ValidatingAdmissionPolicyBinding": () =>
    admission("ValidatingAdmissionPolicyBinding", {
      spec: obj({
        matchResources: matchResources(),
        paramRef: atomicObj({ name: str, namespace: str, parameterNotFoundAction: str, selector }),
        policyName: str,
        validationActions: { ...list(str), "x-kubernetes-list-type": "set" },
      }),
    }),

  "apiextensions.v1.CustomResourceDefinition": () =>
    kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", {
      "spec!": ref("apiextensions.v1.CustomResourceDefinitionSpec"),
      status: obj({
        acceptedNames: ref("apiextensions.v1.CustomResourceDefinitionNames"),
        conditions: mapList(obj({ lastTransitionTime: zeroTime, message: str, observedGeneration: int64, reason: str, "status!": str, "type!": str }), [
          "type",
        ]),
        observedGeneration: int64,
        storedVersions: list(str),
      }),
    }),
  "apiextensions.v1.CustomResourceDefinitionSpec": () =>
    obj({
      conversion: obj({ "strategy!": str, webhook: obj({ clientConfig: clientConfig(), "conversionReviewVersions!": list(str) }) }),
      "group!": str,
      "names!": ref("apiextensions.v1.CustomResourceDefinitionNames"),
      preserveUnknownFields: bool,
      "scope!": str,
      "versions!": list(ref("apiextensions.v1.CustomResourceDefinitionVersion")),
    }),
  "apiextensions.v1.CustomResourceDefinitionNames": () =>
    obj({ categories: list(str), "kind!": str, listKind: str, "plural!": str, shortNames: list(str), singular: str }),
  "apiextensions.v1.CustomResourceDefinitionVersion": () =>
    obj({
      additionalPrinterColumns: list(obj({ description: str, format: str, "jsonPath!": str, "name!": str, priority: int32, "type!": str })),
      deprecated: bool,
      deprecationWarning: str,
      "name!": str,
      schema: obj({ openAPIV3Schema: ref("apiextensions.v1.JSONSchemaProps") }),
      selectableFields: list(obj({ "jsonPath!": str })),
      "served!": bool,
      "storage!": bool,
      subresources: obj({ scale: obj({ labelSelectorPath: str, "specReplicasPath!": str, "statusReplicasPath!": str }), status: freeObject }),
    }),
  "apiextensions.v1.JSONSchemaProps": () => {
    const self = ref("apiextensions.v1.JSONSchemaProps");
    return obj({
      $ref: str,
      $schema: str,
      additionalItems: any,
      additionalProperties: any,
      allOf: list(self),
      anyOf: list(self),
      default: any,
      definitions: map(self),
      dependencies: map(any),
      description: str,
      enum: list(any),
      example: any,
      exclusiveMaximum: bool,
      exclusiveMinimum: bool,
      externalDocs: obj({ description: str, url: str }),
      format: str,
      id: str,
      items: any,
      maxItems: int64,
      maxLength: int64,
      maxProperties: int64,
      maximum: double,
      minItems: int64,
      minLength: int64,
      minProperties: int64,
      minimum: double,
      multipleOf: double,
      not: self,
      nullable: bool,
      oneOf: list(self),
      pattern: str,
      patternProperties: map(self),
      properties: map(self),
      required: list(str),
      title: str,
      type: str,
      uniqueItems: bool,
      "x-kubernetes-embedded-resource": bool,
      "x-kubernetes-int-or-string": bool,
      "x-kubernetes-list-map-keys": list(str),
      "x-kubernetes-list-type": str,
      "x-kubernetes-map-type": str,
      "x-kubernetes-preserve-unknown-fields": bool,
      "x-kubernetes-validations": mapList(obj({ fieldPath: str, message: str, messageExpression: str, optionalOldSelf: bool, reason: str, "rule!": str }), [
        "rule",
      ]),
    });
  },

  "apiregistration.v1.APIService": () =>
    kind("apiregistration.k8s.io", "v1", "APIService", {
      spec: obj({
        caBundle: bytes,
        group: str,
        "groupPriorityMinimum!": int32,
        insecureSkipTLSVerify: bool,
        service: obj({ name: str, namespace: str, port: int32 }),
        version: str,
        "versionPriority!": int32,
      }),
      status: obj({ conditions: mapList(obj({ lastTransitionTime: zeroTime, message: str, reason: str, "status!": str, "type!": str }), ["type"]) }),
    }),
  "certificates.v1.CertificateSigningRequest": () =>
    kind("certificates.k8s.io", "v1", "CertificateSigningRequest", {
      "spec!": obj({
        expirationSeconds: int32,
        extra: map(list(str)),
        groups: list(str),
        "request!": bytes,
        "signerName!": str,
        uid: str,
        usages: list(str),
        username: str,
      }),
      status: obj({
        certificate: bytes,
        conditions: mapList(obj({ lastTransitionTime: zeroTime, lastUpdateTime: zeroTime, message: str, reason: str, "status!": str, "type!": str }), ["type"]),
      }),
    }),
  "node.v1.RuntimeClass": () =>
    kind("node.k8s.io", "v1", "RuntimeClass", {
      "handler!": str,
      overhead: obj({ podFixed: map(quantity) }),
      scheduling: obj({ nodeSelector: atomicMap(str), tolerations: list(obj({ effect: str, key: str, operator: str, tolerationSeconds: int64, value: str })) }),
    }),

  "discovery.v1.EndpointSlice": () =>
    kind("discovery.k8s.io", "v1", "EndpointSlice", {
      "addressType!": str,
      "endpoints!": list(ref("discovery.v1.Endpoint")),
      ports: list(atomicObj({ appProtocol: str, name: str, port: int32, protocol: str })),
    }),
  "discovery.v1.Endpoint": () =>
    obj({
      "addresses!": { ...list(str), "x-kubernetes-list-type": "set" },
      conditions: obj({ ready: bool, serving: bool, terminating: bool }),
      deprecatedTopology: map(str),
      hints: obj({ forNodes: list(obj({ "name!": str })), forZones: list(obj({ "name!": str })) }),
      hostname: str,
      nodeName: str,
      targetRef: ref("core.v1.ObjectReference"),
      zone: str,
    }),

  "networking.v1.Ingress": () =>
    networking("Ingress", {
      spec: obj({
        defaultBackend: ref("networking.v1.IngressBackend"),
        ingressClassName: str,
        rules: list(obj({ host: str, http: obj({ "paths!": list(obj({ "backend!": ref("networking.v1.IngressBackend"), path: str, "pathType!": str })) }) })),
        tls: list(obj({ hosts: list(str), secretName: str })),
      }),
      status: obj({
        loadBalancer: obj({ ingress: list(obj({ hostname: str, ip: str, ports: list(obj({ error: str, "port!": int32, "protocol!": str })) })) }),
      }),
    }),
  "networking.v1.IngressBackend": () =>
    obj({ resource: ref("core.v1.TypedLocalObjectReference"), service: obj({ "name!": str, port: atomicObj({ name: str, number: int32 }) }) }),
  "networking.v1.IngressClass": () =>
    networking("IngressClass", { spec: obj({ controller: str, parameters: obj({ apiGroup: str, "kind!": str, "name!": str, namespace: str, scope: str }) }) }),
  "networking.v1.NetworkPolicy": () => {
    const peers = () => list(ref("networking.v1.NetworkPolicyPeer"));
    const ports = () => list(obj({ endPort: int32, port: intOrString, protocol: str }));
    return networking("NetworkPolicy", {
      spec: obj({
        egress: list(obj({ ports: ports(), to: peers() })),
        ingress: list(obj({ from: peers(), ports: ports() })),
        podSelector: selector,
        policyTypes: list(str),
      }),
    });
  },
  "networking.v1.NetworkPolicyPeer": () => obj({ ipBlock: obj({ "cidr!": str, except: list(str) }), namespaceSelector: selector, podSelector: selector }),

  "coordination.v1.Lease": () =>
    kind("coordination.k8s.io", "v1", "Lease", {
      spec: obj({
        acquireTime: microTime,
        holderIdentity: str,
        leaseDurationSeconds: int32,
        leaseTransitions: int32,
        preferredHolder: str,
        renewTime: microTime,
        strategy: str,
      }),
    }),
  "scheduling.v1.PriorityClass": () =>
    kind("scheduling.k8s.io", "v1", "PriorityClass", { description: str, globalDefault: bool, preemptionPolicy: str, "value!": int32 }),
  "storage.v1.StorageClass": () =>
    kind("storage.k8s.io", "v1", "StorageClass", {
      allowVolumeExpansion: bool,
      allowedTopologies: list(ref("core.v1.TopologySelectorTerm")),
      mountOptions: list(str),
      parameters: map(str),
      "provisioner!": str,
      reclaimPolicy: str,
      volumeBindingMode: str,
    }),

  "authentication.v1.TokenReview": () =>
    kind("authentication.k8s.io", "v1", "TokenReview", {
      "spec!": obj({ audiences: list(str), token: str }),
      status: obj({ audiences: list(str), authenticated: bool, error: str, user: userInfo() }),
    }),
  "authentication.v1.TokenRequest": () =>
    kind("authentication.k8s.io", "v1", "TokenRequest", {
      "spec!": obj({ "audiences!": list(str), boundObjectRef: obj({ apiVersion: str, kind: str, name: str, uid: str }), expirationSeconds: int64 }),
      status: obj({ "expirationTimestamp!": time, "token!": str }),
    }),
  "authentication.v1.SelfSubjectReview": () => kind("authentication.k8s.io", "v1", "SelfSubjectReview", { status: obj({ userInfo: userInfo() }) }),
  "authorization.v1.SubjectAccessReview": () => authorization("SubjectAccessReview", subjectAccessSpec()),
  "authorization.v1.LocalSubjectAccessReview": () => authorization("LocalSubjectAccessReview", subjectAccessSpec()),
  "authorization.v1.SelfSubjectAccessReview": () => authorization("SelfSubjectAccessReview", obj(accessAttributes())),
  "authorization.v1.SelfSubjectRulesReview": () =>
    authorization(
      "SelfSubjectRulesReview",
      obj({ namespace: str }),
      obj({
        evaluationError: str,
        "incomplete!": bool,
        "nonResourceRules!": list(obj({ nonResourceURLs: list(str), "verbs!": list(str) })),
        "resourceRules!": list(obj({ apiGroups: list(str), resourceNames: list(str), resources: list(str), "verbs!": list(str) })),
      }),
    ),
};
