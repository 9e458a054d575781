/** A pod, or what a controller makes pods from, as far as pod security looks at it. */
export interface PodTemplate {
  metadata?: { annotations?: Record<string, string> };
  spec?: PodShape;
}

export interface PodShape {
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  os?: { name?: string };
  securityContext?: SecurityContext & { sysctls?: { name: string }[] };
  volumes?: ({ name: string } & Record<string, unknown>)[];
  initContainers?: ContainerShape[];
  containers?: ContainerShape[];
  ephemeralContainers?: ContainerShape[];
}

export interface ContainerShape {
  name: string;
  image?: string;
  ports?: { hostPort?: number }[];
  livenessProbe?: Handler;
  readinessProbe?: Handler;
  startupProbe?: Handler;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  securityContext?: SecurityContext;
}

export interface Handler {
  httpGet?: { host?: string };
  tcpSocket?: { host?: string };
}

export interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  procMount?: string;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  appArmorProfile?: { type?: string };
  seccompProfile?: { type?: string };
  seLinuxOptions?: { type?: string; user?: string; role?: string };
  windowsOptions?: { hostProcess?: boolean };
}

/** What a pod breaks: in a word, and in full ("" where the word says all). */
export interface Violation {
  reason: string;
  detail: string;
}

/** Looks at a pod; undefined when it keeps the rule. */
export type Check = (pod: PodTemplate) => Violation | undefined;

/** The forms of one rule over the versions of the standards: each holds from its minor version on, until the next. */
export interface VersionedCheck {
  id: string;
  versions: readonly { since: number; check: Check }[];
  /** Rules of the level below that this one says more strictly. */
  overrides?: string;
}
