/**
 * controllers turn what was asked for into what is: pods for Deployments, nodes for pods, endpoints for Services, an end for namespaces.
 * They see the cluster only through the Kubernetes API, by watches, and act within milliseconds of an event; nothing here polls.
 * They could as well run against a real API server: nothing in them knows that this one is embedded.
 */
import { startCertificates } from "./certificates.ts";
import { type Controller, type ControllerOptions, createContext } from "./context.ts";
import { startCronJobs } from "./cronjob.ts";
import { startDaemonSets } from "./daemonset.ts";
import { startDeployments } from "./deployment/index.ts";
import { startDisruption } from "./disruption.ts";
import { startEndpoints } from "./endpoints/index.ts";
import { Everything } from "./everything.ts";
import { startGarbageCollector } from "./garbage-collector.ts";
import { startJobs } from "./job.ts";
import { startNamespaceContent } from "./namespace-content.ts";
import { startNamespaceEnd } from "./namespace-end.ts";
import { startReplicaSets } from "./replicaset.ts";
import { startScheduler } from "./scheduler.ts";
import { startKubernetesService, startLoadBalancers } from "./services.ts";
import { startStatefulSets } from "./statefulset.ts";
import { startStorage } from "./storage/index.ts";

export type { ControllerOptions } from "./context.ts";
export { EventRecorder } from "./events.ts";
export type { VolumeFolders } from "./storage/index.ts";
export { WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

/** Garbage can wait until the cluster is up: watching every kind costs a moment that pods need more. */
const COLLECT_AFTER_MS = 1_000;

/** Starts all controllers. They stop at once; what they were writing may still arrive. */
export function startControllers(options: ControllerOptions): Controller {
  const context = createContext(options);
  const controllers: Controller[] = [
    startNamespaceContent(context),
    startKubernetesService(context),
    startLoadBalancers(context),
    startDeployments(context),
    startReplicaSets(context),
    startScheduler(context),
    startEndpoints(context),
    startStatefulSets(context),
    startDaemonSets(context),
    startJobs(context),
    startCronJobs(context),
    startStorage(context),
    startCertificates(context),
    startDisruption(context),
  ];
  const cancel = options.clock.after(COLLECT_AFTER_MS, () => {
    const everything = new Everything(context);
    controllers.push(startNamespaceEnd(context, everything), startGarbageCollector(context, everything), everything);
  });
  return {
    stop() {
      cancel();
      for (const controller of controllers) controller.stop();
      for (const informer of Object.values(context.informers)) informer.stop();
    },
  };
}
