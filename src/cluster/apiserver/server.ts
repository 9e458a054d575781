import { randomBytes, randomUUID } from "node:crypto";
import type { Clock, Logger } from "../../base/index.ts";
import { systemClock } from "../../base/index.ts";
import type { Transport } from "../../kube/index.ts";
import type { ResourceDefinition } from "../../resources/index.ts";
import type { PodStreams } from "../node/types.ts";
import type { Store } from "../store/index.ts";
import { namespaceLifecycle } from "./admission/namespace-lifecycle.ts";
import { certificateSigners } from "./admission/certificate-signers.ts";
import { certificateSubjects } from "./admission/certificate-subjects.ts";
import { defaultClasses } from "./admission/default-classes.ts";
import { limitRanger } from "./admission/limit-ranger.ts";
import { podDefaults } from "./admission/pod-defaults.ts";
import { podSecurity } from "./admission/pod-security/plugin.ts";
import { customRules } from "./admission/custom-rules.ts";
import { policyAdmission } from "./admission/policies/plugin.ts";
import { privilegeEscalation } from "./admission/privilege-escalation.ts";
import { ResourceQuotas } from "./admission/resource-quota.ts";
import { serviceAccountAdmission } from "./admission/service-account.ts";
import { storageProtection } from "./admission/storage-protection.ts";
import type { AdmissionPlugin } from "./admission/types.ts";
import { WebhookCaller } from "./admission/webhooks/caller.ts";
import { webhookAdmission } from "./admission/webhooks/plugin.ts";
import { Authenticator } from "./auth/authenticator.ts";
import type { ClusterPki } from "./auth/certificates.ts";
import { RbacAuthorizer } from "./auth/rbac.ts";
import { reviewHandlers } from "./auth/reviews.ts";
import { TokenAuthority } from "./auth/tokens.ts";
import { ensureDefaults } from "./bootstrap/ensure.ts";
import { Catalogue } from "./catalogue.ts";
import { Discovery } from "./discovery/documents.ts";
import { OpenApi } from "./discovery/openapi.ts";
import { App } from "./http/app.ts";
import { inProcessTransport } from "./http/in-process.ts";
import { listen, type Listener, type ListenTarget } from "./http/listener.ts";
import type { HealthChecks } from "./http/health.ts";
import { nonResource } from "./http/non-resources.ts";
import { CRDS, CustomResources } from "./kinds/custom-resources.ts";
import { expireEvents } from "./kinds/events.ts";
import { metricsDefinitions } from "./metrics/definitions.ts";
import { resourceMetrics, type UsageSource } from "./metrics/resource-metrics.ts";
import { jobStrategy } from "./kinds/jobs.ts";
import { namespaceStrategy } from "./kinds/namespaces.ts";
import { podStrategy } from "./kinds/pods.ts";
import { AddressRange, PortRange } from "./kinds/ranges.ts";
import { serviceStrategy } from "./kinds/services.ts";
import { SIGNING_REQUESTS, signingRequestStrategy } from "./kinds/signing-requests.ts";
import { TokenSecrets } from "./kinds/token-secrets.ts";
import { volumeStrategy } from "./kinds/volumes.ts";
import { openAuditLog } from "./observe/audit-log.ts";
import { RequestMetrics } from "./observe/request-metrics.ts";
import type { RestContext } from "./rest/context.ts";
import { dispatch, type DispatchParts, type SpecialHandler } from "./rest/dispatch.ts";
import { componentStatuses } from "./subresources/component-statuses.ts";
import { objectSubresource } from "./subresources/object.ts";
import { bindingSubresource, evictionSubresource } from "./subresources/pods.ts";
import { podPlace, proxySubresource, servicePlace } from "./subresources/proxy.ts";
import { scaleSubresource } from "./subresources/scale.ts";
import { handleUpgrade, logSubresource, upgradeRequired } from "./subresources/streams.ts";
import { tokenSubresource } from "./subresources/token.ts";
import type { Dial, UserInfo } from "./types.ts";

export interface ApiServerOptions {
  store: Store;
  /** Built-in kinds: `builtinResources()`. */
  definitions: readonly ResourceDefinition[];
  pki: ClusterPki;
  streams: PodStreams;
  /** What pods and the node use, for `kubectl top`: without it the group metrics.k8s.io is not served. */
  usage?: UsageSource;
  /** Connects to pods and services from the node, for webhooks and proxied requests. */
  dial: Dial;
  /** The cluster's loopback address. */
  listenHost: string;
  /** 0 lets the system choose. */
  port: number;
  log: Logger;
  /** A file for audit events; none are written without. */
  auditLog?: string;
  clock?: Clock;
  /** Addresses of Services; the first is the API server's own. */
  serviceCidr?: string;
  nodePorts?: { from: number; to: number };
  random?: (count: number) => Uint8Array;
}

export interface ApiServer {
  /** The port that it listens on. */
  port: number;
  /** Calls without sockets, as a superuser of that name (managedFields show `userAgent`). */
  transport(userAgent?: string, user?: UserInfo): Transport;
  /** Serves the same API on a descriptor that already listens, such as 10.96.0.1:443 in the pods' network. */
  listenOn(target: ListenTarget): Promise<Listener>;
  /** Issues and checks service-account tokens. */
  tokens: TokenAuthority;
  close(): Promise<void>;
}

export const DEFAULT_SERVICE_CIDR = "10.96.0.0/16";
export const DEFAULT_NODE_PORTS = { from: 30000, to: 32767 } as const;
const SYSTEM_USER: UserInfo = { username: "system:kube-controller-manager", groups: ["system:masters", "system:authenticated"] };

/** Starts the API server on a store: serves, and makes the namespaces and roles that every cluster has. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, pki, streams, log, clock = systemClock, random = randomBytes } = options;
  const catalogue = new Catalogue([...options.definitions, ...(options.usage ? metricsDefinitions() : [])]);
  const customResources: CustomResources = new CustomResources(() => context);
  const addresses = new AddressRange(options.serviceCidr ?? DEFAULT_SERVICE_CIDR);
  const { from, to } = options.nodePorts ?? DEFAULT_NODE_PORTS;
  const rbac = new RbacAuthorizer(store);
  const tokens = new TokenAuthority(pki.tokenKey, store, clock);
  const tokenSecrets: TokenSecrets = new TokenSecrets(() => context, tokens, pki.caCert, log);
  const caller = new WebhookCaller(store, options.dial);
  const quotas = new ResourceQuotas(store, clock);
  const admission: AdmissionPlugin[] = [
    namespaceLifecycle(store),
    serviceAccountAdmission(store, random),
    podSecurity(store),
    podDefaults(store),
    defaultClasses(store),
    storageProtection,
    limitRanger(store),
    privilegeEscalation(rbac),
    certificateSigners(rbac),
    certificateSubjects(),
    customRules,
    policyAdmission({ store, catalogue }),
    webhookAdmission({ store, catalogue, caller, log }),
    quotas,
  ];
  const context: RestContext = {
    store,
    catalogue,
    clock,
    log,
    random,
    newUid: randomUUID,
    admission,
    strategies: new Map([
      ["/namespaces", namespaceStrategy],
      ["/pods", podStrategy],
      ["/persistentvolumes", volumeStrategy(clock)],
      ["batch/jobs", jobStrategy],
      [SIGNING_REQUESTS, signingRequestStrategy(clock)],
      ["/services", serviceStrategy(store, random, { addresses, nodePorts: new PortRange(from, to) })],
      ["/secrets", tokenSecrets.secrets],
      ["/serviceaccounts", tokenSecrets.accounts],
      [CRDS, customResources.strategy],
    ]),
  };
  const authenticator = new Authenticator((token) => {
    const verdict = tokens.verify(token);
    return "user" in verdict ? verdict.user : undefined;
  });
  const parts: DispatchParts = {
    context,
    subresources: subresources(context, options, tokens),
    virtual: new Map<string, SpecialHandler>([
      ...reviewHandlers(context, rbac, tokens),
      ["/bindings", bindingSubresource(context)],
      ["/componentstatuses", componentStatuses(context)],
      ...(options.usage ? resourceMetrics(context, options.usage) : []),
    ]),
  };
  const documents = { discovery: new Discovery(catalogue, `${options.listenHost}:${options.port}`), openApi: new OpenApi(catalogue, () => clock.now()) };
  const metrics = new RequestMetrics(catalogue, store);
  const audit = options.auditLog ? openAuditLog(options.auditLog, log) : undefined;
  let bootstrapped = false;
  let stopping = false;
  const checks: HealthChecks = new Map([
    ["ping", () => true],
    ["log", () => true],
    // A file in place of the real server's etcd, under the name that scripts ask for.
    ["etcd", () => store.writable],
    ["poststarthook/rbac/bootstrap-roles", () => bootstrapped],
    ["shutdown", () => !stopping],
  ]);
  const app = new App({
    observers: [metrics.observe, ...(audit ? [audit.observe] : [])],
    authenticator,
    authorizer: rbac,
    log,
    clock,
    resources: (request, target) => dispatch(parts, request, target),
    nonResources: (request) => nonResource({ ...documents, openId: (path) => tokens.openId(path), health: checks, metrics: () => metrics.text() }, request),
  });
  customResources.start();
  tokenSecrets.start();
  const stopExpiring = expireEvents(store, clock);
  const stopCounting = quotas.keepStatus();
  await ensureDefaults(context, addresses.first, options.serviceCidr ?? DEFAULT_SERVICE_CIDR);
  bootstrapped = true;

  const listeners = new Set<Listener>();
  const listenOn = async (target: ListenTarget): Promise<Listener> => {
    const listener = await listen(
      {
        app,
        log,
        tls: { cert: pki.serving.cert, key: pki.serving.key, clientCa: pki.caCert },
        upgrade: (incoming, credentials, raw, socket, head) =>
          handleUpgrade({ context, streams, app, authenticator, log }, incoming, credentials, raw, socket, head),
      },
      target,
    );
    listeners.add(listener);
    return listener;
  };
  const { port } = await listenOn({ host: options.listenHost, port: options.port });
  return {
    port,
    tokens,
    listenOn,
    transport: (userAgent = "kube-controller-manager", user = SYSTEM_USER) => inProcessTransport(app, user, userAgent),
    async close() {
      stopping = true;
      customResources.stop();
      stopExpiring();
      stopCounting();
      await Promise.all([...listeners].map((listener) => listener.close()));
      await audit?.close();
    },
  };
}

function subresources(context: RestContext, { store, streams, dial, log }: ApiServerOptions, tokens: TokenAuthority): Map<string, SpecialHandler> {
  const object = objectSubresource(context);
  return new Map<string, SpecialHandler>([
    ["status", object],
    ["approval", object],
    ["ephemeralcontainers", object],
    ["resize", object],
    ["finalize", objectSubresource(context, ["update"])],
    ["scale", scaleSubresource(context)],
    ["binding", bindingSubresource(context)],
    ["eviction", evictionSubresource(context)],
    ["token", tokenSubresource(context, tokens)],
    ["log", logSubresource(context, streams, log)],
    ["exec", upgradeRequired(context)],
    ["attach", upgradeRequired(context)],
    ["portforward", upgradeRequired(context)],
    ["/pods/proxy", proxySubresource(store, dial, podPlace)],
    ["/services/proxy", proxySubresource(store, dial, servicePlace)],
  ]);
}
