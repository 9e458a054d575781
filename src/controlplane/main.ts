import { createLogger, ChainmailError, errorText, systemClock } from "../base/index.ts";
import { createClient, inClusterTransport, transportFromKubeconfig } from "../kube/index.ts";
import { createRegistryObserver, MetricsRegistry } from "./debug/index.ts";
import { parseOptions } from "./options.ts";
import { createRegistry } from "./registry/index.ts";

/** Streams of proxies never end by themselves; whoever has not gone by then is cut off and comes back to our successor. */
const SHUTDOWN_GRACE_MS = 2_000;

/**
 * How many times more often than usual code must have run before it is compiled while istiod starts: most of it never runs
 * again. Afterwards the usual holds: certificates cost half more CPU as long as their code was not compiled.
 */
const JIT_RELUCTANCE = 12;

/** `pilot-discovery discovery`: the control plane as a program in a pod. */
async function main(): Promise<void> {
  Bun.unsafe.setJITPolicy(JIT_RELUCTANCE);
  const options = parseOptions(process.argv.slice(2), process.env);
  const log = createLogger("istiod", { level: options.logLevel });
  const client = createClient(options.kubeconfig ? await transportFromKubeconfig(options.kubeconfig) : inClusterTransport());
  const metrics = new MetricsRegistry();
  const registry = createRegistry(
    client,
    {
      domain: options.domain,
      clusterId: options.clusterId,
      systemNamespace: options.namespace,
      meshConfigMap: options.revision === "default" ? "istio" : `istio-${options.revision}`,
      onInvalid: (reason, object) =>
        log.warn("an object is left out, since it cannot be understood", {
          kind: object.kind,
          name: `${object.metadata.namespace ?? ""}/${object.metadata.name}`,
          error: errorText(reason),
        }),
    },
    createRegistryObserver(metrics),
  );
  // While the API server lists what there is, everything else is loaded: Envoy's types alone take as long as the lists.
  const [{ validateIstio }, { checkPatchValue }, { startIstiod }, { createJwksFetcher }, { createGenerator }] = await Promise.all([
    import("../resources/index.ts"),
    import("../proto/go-json/index.ts"),
    import("./istiod.ts"),
    import("./server/index.ts"),
    import("./xds/index.ts"),
  ]);
  const jwks = createJwksFetcher({ registry, clock: systemClock, log: log.child("jwks") });
  const istiod = await startIstiod({
    client,
    registry,
    metrics,
    generator: createGenerator({ jwks }),
    jwks,
    validate: (object) => validateIstio(object, checkPatchValue),
    ...(options.oidc && { oidc: options.oidc }),
    ...(options.rootSpreadMs !== undefined && { rootSpreadMs: options.rootSpreadMs }),
    namespace: options.namespace,
    revision: options.revision,
    podName: options.podName,
    clusterId: options.clusterId,
    clock: systemClock,
    log,
    hostname: "0.0.0.0",
    ports: {
      plaintext: options.grpcPort,
      secure: options.secureGrpcPort,
      webhook: options.httpsPort,
      monitoring: options.monitoringPort,
      readiness: options.httpPort,
    },
  });
  void istiod.warm.then(() => Bun.unsafe.setJITPolicy(1));
  const shutdown = (signal: string): void => {
    log.info("stopping", { signal });
    jwks.stop();
    registry.stop();
    void istiod.stop(SHUTDOWN_GRACE_MS).then(() => process.exit(0));
  };
  process.once("SIGTERM", shutdown);
  process.once("SIGINT", shutdown);
}

main().catch((thrown: unknown) => {
  const hint = thrown instanceof ChainmailError && thrown.hint ? `\n${thrown.hint}` : "";
  process.stderr.write(`Error: ${errorText(thrown)}${hint}\n`);
  process.exit(1);
});
