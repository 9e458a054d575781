import { ChainmailError } from "../../base/index.ts";
import type { ContainerExit } from "./types.ts";
import type { WorkerCalls, WorkerMessage } from "./worker/protocol.ts";

/** What the worker tells without being asked: of containers, and of further processes in them. */
export interface WorkerEvents {
  onExited(processId: string, exit: ContainerExit): void;
  /** The worker's thread itself failed; nothing on this node can be started or stopped any more. */
  onFatal(error: Error): void;
}

/** The main thread's side of the namespace worker. Calls are answered in order; each takes the worker's whole thread. */
export class NamespaceClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #calls = 0;
  #events: WorkerEvents | undefined;

  constructor() {
    // smol: it holds little and does little; without, it would cost megabytes more.
    this.#worker = new Worker(new URL("./worker/main.ts", import.meta.url).href, { smol: true });
    this.#worker.onmessage = (event: MessageEvent<WorkerMessage>) => this.#receive(event.data);
    this.#worker.onerror = (event) => this.#fail(new ChainmailError("NAMESPACE_WORKER", `the namespace worker failed: ${event.message}`));
  }

  /** One listener: the runtime. */
  listen(events: WorkerEvents): void {
    this.#events = events;
  }

  call<Name extends keyof WorkerCalls>(name: Name, args: WorkerCalls[Name]["args"]): Promise<WorkerCalls[Name]["result"]> {
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve: (value) => resolve(value as WorkerCalls[Name]["result"]), reject });
      this.#worker.postMessage({ call, name, args });
    });
  }

  stop(): void {
    this.#worker.terminate();
    this.#rejectAll(new ChainmailError("NODE_STOPPED", "the node has been stopped"));
  }

  #receive(message: WorkerMessage): void {
    if (message.kind === "exited") this.#events?.onExited(message.processId, message.exit);
    else {
      const waiting = this.#waiting.get(message.call);
      this.#waiting.delete(message.call);
      if (message.kind === "reply") waiting?.resolve(message.result);
      else waiting?.reject(new ChainmailError(message.error.code, message.error.message, message.error.hint === undefined ? {} : { hint: message.error.hint }));
    }
  }

  #fail(error: Error): void {
    this.#rejectAll(error);
    this.#events?.onFatal(error);
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
