import { StatusError } from "../http/status.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import type { DeleteOptions } from "./delete-options.ts";
import { deleteObject } from "./delete.ts";
import type { ListOptions } from "./list-options.ts";
import { listObjects, type Page } from "./read.ts";

/** Deletes everything that a list selects; answers with what it deleted. Objects that went meanwhile do not matter. */
export async function deleteCollection(context: RestContext, request: WriteRequest, list: ListOptions, options: DeleteOptions): Promise<Page> {
  const page = await listObjects(context.store, request.resource, request.namespace, list);
  // Side by side, so that they share transactions.
  const outcomes = await Promise.allSettled(
    page.items.map((item) => deleteObject(context, { ...request, name: item.name, namespace: item.namespace }, options)),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "rejected" && !(outcome.reason instanceof StatusError && outcome.reason.status.code === 404)) throw outcome.reason;
  }
  return { ...page, revision: context.store.revision };
}
