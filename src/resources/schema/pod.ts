import {
  any,
  atomicMap,
  atomicObj,
  bool,
  freeObject,
  int32,
  int64,
  intOrString,
  kind,
  list,
  map,
  mapList,
  obj,
  quantity,
  ref,
  str,
  time,
  type Components,
  zeroTime,
} from "./dsl.ts";

const keySelector = () => atomicObj({ "key!": str, name: str, optional: bool });
const localReference = ref("core.v1.LocalObjectReference");
const selector = ref("meta.v1.LabelSelector");
const keyToPaths = () => list(obj({ "key!": str, mode: int32, "path!": str }));
const downwardItems = () => list(ref("core.v1.DownwardAPIVolumeFile"));
const state = ref("core.v1.ContainerState");
const preferred = (term: string) => list(obj({ "podAffinityTerm!": ref(term), "weight!": int32 }));

/** Pods, their templates, and all that hangs on a PodSpec. */
export const podComponents: Components = {
  "core.v1.Pod": () => kind("", "v1", "Pod", { spec: ref("core.v1.PodSpec"), status: ref("core.v1.PodStatus") }),
  "core.v1.PodTemplate": () => kind("", "v1", "PodTemplate", { template: ref("core.v1.PodTemplateSpec") }),
  "core.v1.PodTemplateSpec": () => obj({ metadata: ref("meta.v1.ObjectMeta"), spec: ref("core.v1.PodSpec") }),
  "core.v1.PodSpec": () =>
    obj({
      activeDeadlineSeconds: int64,
      affinity: ref("core.v1.Affinity"),
      automountServiceAccountToken: bool,
      "containers!": mapList(ref("core.v1.Container"), ["name"]),
      dnsConfig: obj({ nameservers: list(str), options: list(obj({ name: str, value: str })), searches: list(str) }),
      dnsPolicy: str,
      enableServiceLinks: bool,
      ephemeralContainers: mapList(ref("core.v1.EphemeralContainer"), ["name"]),
      hostAliases: mapList(obj({ hostnames: list(str), "ip!": str }), ["ip"]),
      hostIPC: bool,
      hostNetwork: bool,
      hostPID: bool,
      hostUsers: bool,
      hostname: str,
      hostnameOverride: str,
      imagePullSecrets: mapList(localReference, ["name"]),
      initContainers: mapList(ref("core.v1.Container"), ["name"]),
      nodeName: str,
      nodeSelector: atomicMap(str),
      os: obj({ "name!": str }),
      overhead: map(quantity),
      preemptionPolicy: str,
      priority: int32,
      priorityClassName: str,
      readinessGates: list(obj({ "conditionType!": str })),
      resourceClaims: mapList(obj({ "name!": str, resourceClaimName: str, resourceClaimTemplateName: str }), ["name"], { retainKeys: true }),
      resources: ref("core.v1.ResourceRequirements"),
      restartPolicy: str,
      runtimeClassName: str,
      schedulerName: str,
      schedulingGates: mapList(obj({ "name!": str }), ["name"]),
      securityContext: ref("core.v1.PodSecurityContext"),
      serviceAccount: str,
      serviceAccountName: str,
      setHostnameAsFQDN: bool,
      shareProcessNamespace: bool,
      subdomain: str,
      terminationGracePeriodSeconds: int64,
      tolerations: list(obj({ effect: str, key: str, operator: str, tolerationSeconds: int64, value: str })),
      topologySpreadConstraints: mapList(
        obj({
          labelSelector: selector,
          matchLabelKeys: list(str),
          "maxSkew!": int32,
          minDomains: int32,
          nodeAffinityPolicy: str,
          nodeTaintsPolicy: str,
          "topologyKey!": str,
          "whenUnsatisfiable!": str,
        }),
        ["topologyKey", "whenUnsatisfiable"],
      ),
      volumes: mapList(ref("core.v1.Volume"), ["name"], { retainKeys: true }),
    }),
  "core.v1.Container": () => obj(containerFields()),
  "core.v1.EphemeralContainer": () => obj({ ...containerFields(), targetContainerName: str }),
  "core.v1.ContainerPort": () => obj({ "containerPort!": int32, hostIP: str, hostPort: int32, name: str, protocol: str }),
  "core.v1.EnvVar": () => obj({ "name!": str, value: str, valueFrom: ref("core.v1.EnvVarSource") }),
  "core.v1.EnvVarSource": () =>
    obj({
      configMapKeyRef: keySelector(),
      fieldRef: ref("core.v1.ObjectFieldSelector"),
      fileKeyRef: atomicObj({ "key!": str, optional: bool, "path!": str, "volumeName!": str }),
      resourceFieldRef: ref("core.v1.ResourceFieldSelector"),
      secretKeyRef: keySelector(),
    }),
  "core.v1.ObjectFieldSelector": () => atomicObj({ apiVersion: str, "fieldPath!": str }),
  "core.v1.ResourceFieldSelector": () => atomicObj({ containerName: str, divisor: quantity, "resource!": str }),
  "core.v1.ResourceRequirements": () => obj({ claims: mapList(obj({ "name!": str, request: str }), ["name"]), limits: map(quantity), requests: map(quantity) }),
  "core.v1.Probe": () =>
    obj({
      exec: ref("core.v1.ExecAction"),
      failureThreshold: int32,
      grpc: obj({ "port!": int32, service: str }),
      httpGet: ref("core.v1.HTTPGetAction"),
      initialDelaySeconds: int32,
      periodSeconds: int32,
      successThreshold: int32,
      tcpSocket: ref("core.v1.TCPSocketAction"),
      terminationGracePeriodSeconds: int64,
      timeoutSeconds: int32,
    }),
  "core.v1.LifecycleHandler": () =>
    obj({
      exec: ref("core.v1.ExecAction"),
      httpGet: ref("core.v1.HTTPGetAction"),
      sleep: obj({ "seconds!": int64 }),
      tcpSocket: ref("core.v1.TCPSocketAction"),
    }),
  "core.v1.ExecAction": () => obj({ command: list(str) }),
  "core.v1.HTTPGetAction": () => obj({ host: str, httpHeaders: list(obj({ "name!": str, "value!": str })), path: str, "port!": intOrString, scheme: str }),
  "core.v1.TCPSocketAction": () => obj({ host: str, "port!": intOrString }),
  "core.v1.SecurityContext": () =>
    obj({
      allowPrivilegeEscalation: bool,
      appArmorProfile: obj({ localhostProfile: str, "type!": str }),
      capabilities: obj({ add: list(str), drop: list(str) }),
      privileged: bool,
      procMount: str,
      readOnlyRootFilesystem: bool,
      ...identityFields(),
    }),
  "core.v1.PodSecurityContext": () =>
    obj({
      appArmorProfile: obj({ localhostProfile: str, "type!": str }),
      fsGroup: int64,
      fsGroupChangePolicy: str,
      seLinuxChangePolicy: str,
      supplementalGroups: list(int64),
      supplementalGroupsPolicy: str,
      sysctls: list(obj({ "name!": str, "value!": str })),
      ...identityFields(),
    }),
  "core.v1.Affinity": () =>
    obj({
      nodeAffinity: obj({
        preferredDuringSchedulingIgnoredDuringExecution: list(obj({ "preference!": ref("core.v1.NodeSelectorTerm"), "weight!": int32 })),
        requiredDuringSchedulingIgnoredDuringExecution: ref("core.v1.NodeSelector"),
      }),
      podAffinity: ref("core.v1.PodAffinity"),
      podAntiAffinity: ref("core.v1.PodAffinity"),
    }),
  "core.v1.PodAffinity": () =>
    obj({
      preferredDuringSchedulingIgnoredDuringExecution: preferred("core.v1.PodAffinityTerm"),
      requiredDuringSchedulingIgnoredDuringExecution: list(ref("core.v1.PodAffinityTerm")),
    }),
  "core.v1.PodAffinityTerm": () =>
    obj({
      labelSelector: selector,
      matchLabelKeys: list(str),
      mismatchLabelKeys: list(str),
      namespaceSelector: selector,
      namespaces: list(str),
      "topologyKey!": str,
    }),
  "core.v1.Volume": () => obj(volumeFields()),
  "core.v1.DownwardAPIVolumeFile": () =>
    obj({ fieldRef: ref("core.v1.ObjectFieldSelector"), mode: int32, "path!": str, resourceFieldRef: ref("core.v1.ResourceFieldSelector") }),
  "core.v1.VolumeProjection": () =>
    obj({
      clusterTrustBundle: obj({ labelSelector: selector, name: str, optional: bool, "path!": str, signerName: str }),
      configMap: obj({ items: keyToPaths(), name: str, optional: bool }),
      downwardAPI: obj({ items: downwardItems() }),
      podCertificate: freeObject,
      secret: obj({ items: keyToPaths(), name: str, optional: bool }),
      serviceAccountToken: obj({ audience: str, expirationSeconds: int64, "path!": str }),
    }),
  "core.v1.PodStatus": () =>
    obj({
      conditions: mapList(ref("core.v1.PodCondition"), ["type"]),
      containerStatuses: list(ref("core.v1.ContainerStatus")),
      ephemeralContainerStatuses: list(ref("core.v1.ContainerStatus")),
      extendedResourceClaimStatus: freeObject,
      hostIP: str,
      hostIPs: list(obj({ "ip!": str }), { "x-kubernetes-patch-merge-key": "ip", "x-kubernetes-patch-strategy": "merge" }),
      initContainerStatuses: list(ref("core.v1.ContainerStatus")),
      message: str,
      nominatedNodeName: str,
      observedGeneration: int64,
      phase: str,
      podIP: str,
      podIPs: mapList(obj({ "ip!": str }), ["ip"]),
      qosClass: str,
      reason: str,
      resize: str,
      resourceClaimStatuses: mapList(obj({ "name!": str, resourceClaimName: str }), ["name"], { retainKeys: true }),
      startTime: time,
    }),
  "core.v1.PodCondition": () =>
    obj({ lastProbeTime: zeroTime, lastTransitionTime: zeroTime, message: str, observedGeneration: int64, reason: str, "status!": str, "type!": str }),
  "core.v1.ContainerStatus": () =>
    obj({
      allocatedResources: map(quantity),
      allocatedResourcesStatus: mapList(obj({ "name!": str, resources: any }), ["name"]),
      containerID: str,
      "image!": str,
      "imageID!": str,
      lastState: state,
      "name!": str,
      "ready!": bool,
      resources: ref("core.v1.ResourceRequirements"),
      "restartCount!": int32,
      started: bool,
      state,
      stopSignal: str,
      user: freeObject,
      volumeMounts: mapList(obj({ "mountPath!": str, "name!": str, readOnly: bool, recursiveReadOnly: str }), ["mountPath"]),
    }),
  "core.v1.ContainerState": () =>
    obj({
      running: obj({ startedAt: zeroTime }),
      terminated: obj({ containerID: str, "exitCode!": int32, finishedAt: zeroTime, message: str, reason: str, signal: int32, startedAt: zeroTime }),
      waiting: obj({ message: str, reason: str }),
    }),
};

function containerFields(): Record<string, ReturnType<typeof ref>> {
  const probe = ref("core.v1.Probe");
  const handler = ref("core.v1.LifecycleHandler");
  return {
    args: list(str),
    command: list(str),
    env: mapList(ref("core.v1.EnvVar"), ["name"]),
    envFrom: list(obj({ configMapRef: obj({ name: str, optional: bool }), prefix: str, secretRef: obj({ name: str, optional: bool }) })),
    image: str,
    imagePullPolicy: str,
    lifecycle: obj({ postStart: handler, preStop: handler, stopSignal: str }),
    livenessProbe: probe,
    "name!": str,
    ports: mapList(ref("core.v1.ContainerPort"), ["containerPort", "protocol"]),
    readinessProbe: probe,
    resizePolicy: list(obj({ "resourceName!": str, "restartPolicy!": str })),
    resources: ref("core.v1.ResourceRequirements"),
    restartPolicy: str,
    restartPolicyRules: list(obj({ "action!": str, exitCodes: obj({ "operator!": str, values: list(int32) }) })),
    securityContext: ref("core.v1.SecurityContext"),
    startupProbe: probe,
    stdin: bool,
    stdinOnce: bool,
    terminationMessagePath: str,
    terminationMessagePolicy: str,
    tty: bool,
    volumeDevices: mapList(obj({ "devicePath!": str, "name!": str }), ["devicePath"]),
    volumeMounts: mapList(
      obj({ "mountPath!": str, mountPropagation: str, "name!": str, readOnly: bool, recursiveReadOnly: str, subPath: str, subPathExpr: str }),
      ["mountPath"],
    ),
    workingDir: str,
  };
}

function identityFields(): Record<string, ReturnType<typeof ref>> {
  return {
    runAsGroup: int64,
    runAsNonRoot: bool,
    runAsUser: int64,
    seLinuxOptions: obj({ level: str, role: str, type: str, user: str }),
    seccompProfile: obj({ localhostProfile: str, "type!": str }),
    windowsOptions: obj({ gmsaCredentialSpec: str, gmsaCredentialSpecName: str, hostProcess: bool, runAsUserName: str }),
  };
}

function volumeFields(): Record<string, ReturnType<typeof ref>> {
  const fields: Record<string, ReturnType<typeof ref>> = {
    configMap: obj({ defaultMode: int32, items: keyToPaths(), name: str, optional: bool }),
    csi: obj({ "driver!": str, fsType: str, nodePublishSecretRef: localReference, readOnly: bool, volumeAttributes: map(str) }),
    downwardAPI: obj({ defaultMode: int32, items: downwardItems() }),
    emptyDir: obj({ medium: str, sizeLimit: quantity }),
    ephemeral: obj({ volumeClaimTemplate: obj({ metadata: ref("meta.v1.ObjectMeta"), "spec!": ref("core.v1.PersistentVolumeClaimSpec") }) }),
    hostPath: obj({ "path!": str, type: str }),
    image: obj({ pullPolicy: str, reference: str }),
    "name!": str,
    nfs: obj({ "path!": str, readOnly: bool, "server!": str }),
    persistentVolumeClaim: obj({ "claimName!": str, readOnly: bool }),
    projected: obj({ defaultMode: int32, sources: list(ref("core.v1.VolumeProjection")) }),
    secret: obj({ defaultMode: int32, items: keyToPaths(), optional: bool, secretName: str }),
  };
  // Kinds of storage that are hardware or a vendor's: accepted as they are.
  for (const name of STORAGE_DRIVERS) fields[name] = freeObject;
  return fields;
}

const STORAGE_DRIVERS =
  "awsElasticBlockStore azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs iscsi photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume".split(
    " ",
  );
