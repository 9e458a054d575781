/**
 * export carries what the proxy tells collectors (spans, log records) apart from the requests that it tells of.
 * Everything is queued without waiting, in a bounded queue, and leaves in batches through a cluster, as other calls do.
 * A collector that is slow or away costs dropped records, which are counted, never a request's time.
 */
export { BatchQueue, type BatchOptions } from "./batch-queue.ts";
export { SharedExporters } from "./shared-exporters.ts";
export { compileGrpcTarget, compileHttpTarget, grpcCluster, httpTarget, type Deliver, type DeliveryContext } from "./targets.ts";
export { attribute, nanos, timestamp, writeAttributes } from "./otlp.ts";
