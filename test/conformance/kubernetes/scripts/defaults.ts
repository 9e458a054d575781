import type { Script } from "../types.ts";
import { cluster, deployment, ns, object, pod, post, script, service, template } from "./dsl.ts";

/** The form of a request is looked at, and not yet what is in it. */
const CSR = Buffer.from("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n").toString("base64");

const FULL_POD = {
  containers: [
    {
      name: "c",
      image: "registry.example.com/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP", hostPort: 53 }],
      env: [
        { name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
        { name: "C", valueFrom: { configMapKeyRef: { name: "x", key: "y", optional: true } } },
      ],
      envFrom: [{ configMapRef: { name: "x" } }, { prefix: "P_", secretRef: { name: "s" } }],
      resources: { limits: { cpu: "0.5", memory: "1024Mi" }, requests: { cpu: "100m" } },
      livenessProbe: { httpGet: { port: 80 } },
      readinessProbe: { tcpSocket: { port: "web" }, periodSeconds: 3 },
      startupProbe: { grpc: { port: 9 } },
      lifecycle: { preStop: { httpGet: { port: 80, path: "x" } }, postStart: { exec: { command: ["x"] } } },
      securityContext: { runAsUser: 1, capabilities: { drop: ["ALL"] }, seccompProfile: { type: "RuntimeDefault" } },
      volumeMounts: [{ name: "e", mountPath: "/e" }],
    },
    { name: "latest", image: "a:latest" },
    { name: "untagged", image: "a" },
  ],
  initContainers: [{ name: "side", image: "i:1", restartPolicy: "Always" }],
  volumes: [
    { name: "e" },
    { name: "h", hostPath: { path: "/x" } },
    { name: "s", secret: { secretName: "s" } },
    { name: "c", configMap: { name: "c", items: [{ key: "a", path: "b" }] } },
    { name: "d", downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } },
    { name: "p", projected: { sources: [{ serviceAccountToken: { path: "t" } }, { configMap: { name: "c" } }] } },
    { name: "v", persistentVolumeClaim: { claimName: "c" } },
    { name: "eph", ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } } } },
    { name: "isc", iscsi: { targetPortal: "1.2.3.4", iqn: "iqn.2001-04.com.example:storage", lun: 0 } },
  ],
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "ScheduleAnyway" }],
  tolerations: [{ key: "a", operator: "Exists", effect: "NoExecute" }],
  hostNetwork: true,
};

const kinds: [title: string, path: string, body: object][] = [
  ["config map", ns("configmaps"), object("v1", "ConfigMap", "x")],
  ["secret", ns("secrets"), object("v1", "Secret", "x", { stringData: { a: "b" } })],
  ["tls secret", ns("secrets"), object("v1", "Secret", "x", { type: "kubernetes.io/tls", data: { "tls.crt": "", "tls.key": "" } })],
  ["service account", ns("serviceaccounts"), object("v1", "ServiceAccount", "x")],
  ["endpoints", ns("endpoints"), object("v1", "Endpoints", "x", { subsets: [{ addresses: [{ ip: "10.1.1.1" }], ports: [{ port: 80 }] }] })],
  [
    "limit range",
    ns("limitranges"),
    object("v1", "LimitRange", "x", { spec: { limits: [{ type: "Container", max: { cpu: "1" }, default: { memory: "1Gi" } }] } }),
  ],
  ["resource quota", ns("resourcequotas"), object("v1", "ResourceQuota", "x", { spec: { hard: { pods: 5, "requests.cpu": "1000m" } } })],
  ["pod", ns("pods"), pod("x")],
  ["pod with everything", ns("pods"), pod("x", FULL_POD)],
  ["pod with limits", ns("pods"), pod("x", { containers: [{ name: "c", image: "i:1", resources: { limits: { cpu: "1", memory: "1Gi" } } }] })],
  [
    "pod with a security context",
    ns("pods"),
    pod("x", { securityContext: { runAsNonRoot: true, fsGroup: 5, sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] } }),
  ],
  ["pod template", ns("podtemplates"), object("v1", "PodTemplate", "x", { template: template() })],
  ["replication controller", ns("replicationcontrollers"), object("v1", "ReplicationController", "x", { spec: { template: template() } })],
  ["service", ns("services"), service("x")],
  [
    "claim",
    ns("persistentvolumeclaims"),
    object("v1", "PersistentVolumeClaim", "x", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1024Mi" } } } }),
  ],
  [
    "volume",
    cluster("persistentvolumes"),
    object("v1", "PersistentVolume", "defaults-x", { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/x" } } }),
  ],
  [
    "local volume",
    cluster("persistentvolumes"),
    object("v1", "PersistentVolume", "defaults-l", {
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage: "1Gi" },
        local: { path: "/x" },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] } },
        claimRef: { name: "c", namespace: "n" },
      },
    }),
  ],
  ["node", cluster("nodes"), object("v1", "Node", "defaults-x")],
  ["namespace", cluster("namespaces"), object("v1", "Namespace", "defaults-x")],
  ["deployment", ns("apps/v1/deployments"), deployment("x")],
  ["deployment that recreates", ns("apps/v1/deployments"), deployment("x", { strategy: { type: "Recreate" } })],
  ["deployment with a part of its strategy", ns("apps/v1/deployments"), deployment("x", { strategy: { rollingUpdate: { maxSurge: 1 } } })],
  ["deployment with everything in its pods", ns("apps/v1/deployments"), deployment("x", { template: template(FULL_POD) })],
  ["replica set", ns("apps/v1/replicasets"), object("apps/v1", "ReplicaSet", "x", { spec: { selector: { matchLabels: { app: "a" } }, template: template() } })],
  [
    "stateful set",
    ns("apps/v1/statefulsets"),
    object("apps/v1", "StatefulSet", "x", {
      spec: {
        serviceName: "s",
        selector: { matchLabels: { app: "a" } },
        template: template(),
        volumeClaimTemplates: [{ metadata: { name: "d" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
      },
    }),
  ],
  [
    "stateful set without rolling updates",
    ns("apps/v1/statefulsets"),
    object("apps/v1", "StatefulSet", "x", {
      spec: {
        selector: { matchLabels: { app: "a" } },
        template: template(),
        updateStrategy: { type: "OnDelete" },
        podManagementPolicy: "Parallel",
        ordinals: {},
      },
    }),
  ],
  ["daemon set", ns("apps/v1/daemonsets"), object("apps/v1", "DaemonSet", "x", { spec: { selector: { matchLabels: { app: "a" } }, template: template() } })],
  ["controller revision", ns("apps/v1/controllerrevisions"), object("apps/v1", "ControllerRevision", "x", { revision: 1, data: { a: 1 } })],
  ["job", ns("batch/v1/jobs"), object("batch/v1", "Job", "x", { spec: { template: template({ restartPolicy: "Never" }) } })],
  [
    "job with an index",
    ns("batch/v1/jobs"),
    object("batch/v1", "Job", "x", {
      spec: {
        completions: 3,
        parallelism: 2,
        completionMode: "Indexed",
        backoffLimitPerIndex: 1,
        podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] }] },
        template: template({ restartPolicy: "Never" }),
      },
    }),
  ],
  [
    "job with a selector of its own",
    ns("batch/v1/jobs"),
    object("batch/v1", "Job", "x", {
      spec: { manualSelector: true, selector: { matchLabels: { app: "a" } }, template: template({ restartPolicy: "OnFailure" }) },
    }),
  ],
  [
    "cron job",
    ns("batch/v1/cronjobs"),
    object("batch/v1", "CronJob", "x", { spec: { schedule: "@daily", jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } } } }),
  ],
  [
    "autoscaler",
    ns("autoscaling/v2/horizontalpodautoscalers"),
    object("autoscaling/v2", "HorizontalPodAutoscaler", "x", { spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "d" } } }),
  ],
  [
    "autoscaler with behaviour",
    ns("autoscaling/v2/horizontalpodautoscalers"),
    object("autoscaling/v2", "HorizontalPodAutoscaler", "x", {
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
        behavior: { scaleDown: { stabilizationWindowSeconds: 5 } },
        metrics: [{ type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "1000Mi" } } }],
      },
    }),
  ],
  [
    "autoscaler of the earlier version",
    ns("autoscaling/v1/horizontalpodautoscalers"),
    object("autoscaling/v1", "HorizontalPodAutoscaler", "x", { spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "d" } } }),
  ],
  [
    "disruption budget",
    ns("policy/v1/poddisruptionbudgets"),
    object("policy/v1", "PodDisruptionBudget", "x", { spec: { minAvailable: "50%", selector: { matchLabels: { a: "b" } } } }),
  ],
  [
    "endpoint slice",
    ns("discovery.k8s.io/v1/endpointslices"),
    object("discovery.k8s.io/v1", "EndpointSlice", "x", {
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.1.1.1"], conditions: {} }],
      ports: [{ port: 80 }, { name: "n", port: 53, protocol: "UDP" }],
    }),
  ],
  [
    "ingress",
    ns("networking.k8s.io/v1/ingresses"),
    object("networking.k8s.io/v1", "Ingress", "x", {
      spec: { rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "s", port: { number: 80 } } } }] } }] },
    }),
  ],
  [
    "ingress class",
    cluster("networking.k8s.io/v1/ingressclasses"),
    object("networking.k8s.io/v1", "IngressClass", "defaults-x", { spec: { controller: "e.io/c", parameters: { apiGroup: "e.io", kind: "P", name: "p" } } }),
  ],
  [
    "network policy",
    ns("networking.k8s.io/v1/networkpolicies"),
    object("networking.k8s.io/v1", "NetworkPolicy", "x", { spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } }),
  ],
  [
    "role",
    ns("rbac.authorization.k8s.io/v1/roles"),
    object("rbac.authorization.k8s.io/v1", "Role", "x", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
  ],
  ["role without rules", ns("rbac.authorization.k8s.io/v1/roles"), object("rbac.authorization.k8s.io/v1", "Role", "x")],
  [
    "cluster role",
    cluster("rbac.authorization.k8s.io/v1/clusterroles"),
    object("rbac.authorization.k8s.io/v1", "ClusterRole", "defaults-x", { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] } }),
  ],
  [
    "role binding",
    ns("rbac.authorization.k8s.io/v1/rolebindings"),
    object("rbac.authorization.k8s.io/v1", "RoleBinding", "x", {
      roleRef: { kind: "Role", name: "x" },
      subjects: [
        { kind: "User", name: "u" },
        { kind: "Group", name: "g" },
        { kind: "ServiceAccount", name: "default", namespace: "{ns}" },
      ],
    }),
  ],
  [
    "cluster role binding",
    cluster("rbac.authorization.k8s.io/v1/clusterrolebindings"),
    object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "defaults-x", { roleRef: { kind: "ClusterRole", name: "x" } }),
  ],
  ["storage class", cluster("storage.k8s.io/v1/storageclasses"), object("storage.k8s.io/v1", "StorageClass", "defaults-x", { provisioner: "e.io/p" })],
  ["priority class", cluster("scheduling.k8s.io/v1/priorityclasses"), object("scheduling.k8s.io/v1", "PriorityClass", "defaults-x", { value: 5 })],
  ["runtime class", cluster("node.k8s.io/v1/runtimeclasses"), object("node.k8s.io/v1", "RuntimeClass", "defaults-x", { handler: "h" })],
  [
    "mutating webhooks",
    cluster("admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
    object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "defaults-x", {
      webhooks: [
        {
          name: "a.e.io",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          clientConfig: { service: { name: "s", namespace: "n" } },
          rules: [{ apiGroups: ["e.io"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"] }],
        },
      ],
    }),
  ],
  [
    "validating webhooks",
    cluster("admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
    object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "defaults-x", {
      webhooks: [
        {
          name: "a.e.io",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          clientConfig: { url: "https://127.0.0.1:1/x" },
          rules: [{ apiGroups: ["e.io"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"] }],
        },
      ],
    }),
  ],
  [
    "admission policy",
    cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
    object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "defaults-x", {
      spec: {
        matchConstraints: { resourceRules: [{ apiGroups: ["e.io"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"] }] },
        validations: [{ expression: "true" }],
      },
    }),
  ],
  [
    "admission policy binding",
    cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
    object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "defaults-x", {
      spec: { policyName: "x", validationActions: ["Deny"], matchResources: { namespaceSelector: { matchLabels: { a: "b" } } } },
    }),
  ],
  [
    "definition",
    cluster("apiextensions.k8s.io/v1/customresourcedefinitions"),
    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "defs.e.io", {
      spec: {
        group: "e.io",
        scope: "Namespaced",
        names: { plural: "defs", kind: "Def" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    }),
  ],
  [
    "signing request",
    cluster("certificates.k8s.io/v1/certificatesigningrequests"),
    object("certificates.k8s.io/v1", "CertificateSigningRequest", "defaults-x", { spec: { request: CSR, signerName: "e.io/s", usages: ["client auth"] } }),
  ],
  [
    "api service",
    cluster("apiregistration.k8s.io/v1/apiservices"),
    object("apiregistration.k8s.io/v1", "APIService", "v1.defaults.e.io", {
      spec: { group: "defaults.e.io", version: "v1", groupPriorityMinimum: 100, versionPriority: 100, service: { name: "s", namespace: "n" } },
    }),
  ],
  [
    "storage driver",
    cluster("storage.k8s.io/v1/csidrivers"),
    object("storage.k8s.io/v1", "CSIDriver", "defaults.e.io", { spec: { tokenRequests: [{ audience: "a" }] } }),
  ],
  [
    "storage node",
    cluster("storage.k8s.io/v1/csinodes"),
    object("storage.k8s.io/v1", "CSINode", "defaults-x", { spec: { drivers: [{ name: "d.e.io", nodeID: "n", topologyKeys: ["a"] }] } }),
  ],
  [
    "storage capacity",
    ns("storage.k8s.io/v1/csistoragecapacities"),
    object("storage.k8s.io/v1", "CSIStorageCapacity", "x", { storageClassName: "s", capacity: "1024Mi", nodeTopology: { matchLabels: { a: "b" } } }),
  ],
  [
    "volume attachment",
    cluster("storage.k8s.io/v1/volumeattachments"),
    object("storage.k8s.io/v1", "VolumeAttachment", "defaults-x", { spec: { attacher: "d.e.io", nodeName: "n", source: { persistentVolumeName: "p" } } }),
  ],
  [
    "attributes class",
    cluster("storage.k8s.io/v1/volumeattributesclasses"),
    object("storage.k8s.io/v1", "VolumeAttributesClass", "defaults-x", { driverName: "d.e.io", parameters: { a: "b" } }),
  ],
  [
    "address",
    cluster("networking.k8s.io/v1/ipaddresses"),
    object("networking.k8s.io/v1", "IPAddress", "192.0.2.1", { spec: { parentRef: { resource: "services", namespace: "n", name: "s" } } }),
  ],
  [
    "service range",
    cluster("networking.k8s.io/v1/servicecidrs"),
    object("networking.k8s.io/v1", "ServiceCIDR", "defaults-x", { spec: { cidrs: ["192.0.2.0/24"] } }),
  ],
  [
    "flow schema",
    cluster("flowcontrol.apiserver.k8s.io/v1/flowschemas"),
    object("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "defaults-x", {
      spec: {
        priorityLevelConfiguration: { name: "exempt" },
        rules: [{ subjects: [{ kind: "User", user: { name: "u" } }], nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }] }],
      },
    }),
  ],
  [
    "priority level",
    cluster("flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"),
    object("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", "defaults-x", {
      spec: { type: "Limited", limited: { limitResponse: { type: "Queue", queuing: {} } } },
    }),
  ],
  [
    "device class",
    cluster("resource.k8s.io/v1/deviceclasses"),
    object("resource.k8s.io/v1", "DeviceClass", "defaults-x", { spec: { selectors: [{ cel: { expression: "device.driver == 'd.e.io'" } }] } }),
  ],
  [
    "resource claim",
    ns("resource.k8s.io/v1/resourceclaims"),
    object("resource.k8s.io/v1", "ResourceClaim", "x", { spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "c" } }] } } }),
  ],
  [
    "resource claim template",
    ns("resource.k8s.io/v1/resourceclaimtemplates"),
    object("resource.k8s.io/v1", "ResourceClaimTemplate", "x", {
      spec: { spec: { devices: { requests: [{ name: "r", firstAvailable: [{ name: "s", deviceClassName: "c" }] }] } } },
    }),
  ],
  [
    "resource slice",
    cluster("resource.k8s.io/v1/resourceslices"),
    object("resource.k8s.io/v1", "ResourceSlice", "defaults-x", {
      spec: {
        driver: "d.e.io",
        nodeName: "n",
        pool: { name: "p", resourceSliceCount: 1 },
        devices: [{ name: "d", attributes: { a: { string: "b" } }, capacity: { m: { value: "1024Mi" } } }],
      },
    }),
  ],
];

/** What a server fills in, kind by kind: each object as it would be stored. */
export const defaultScripts: readonly Script[] = [
  script(
    "defaults",
    kinds.map(([title, path, body]) => post(title, `${path}?dryRun=All`, body)),
  ),
];
