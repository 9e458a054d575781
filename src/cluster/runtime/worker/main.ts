/// <reference lib="webworker" />
import { ChainmailError, errorText } from "../../../base/index.ts";
import { bindUdp, connectMarked, listenTcp, runNft } from "../../../linux/index.ts";
import { startContainer } from "./container-start.ts";
import { Namespaces } from "./namespaces.ts";
import { removeLink, setUpNode, setUpSandbox, tearDownSandbox } from "./node-network.ts";
import type { NodeSetup, SandboxSetup, WorkerCalls, WorkerMessage } from "./protocol.ts";
import { findSystemFiles, type SystemFiles } from "./system-files.ts";

// The namespace worker's thread. Everything here is synchronous: while it is away from home nothing else may run on it,
// and a thread or process started from it inherits the namespaces it is in.

interface Node {
  namespaces: Namespaces;
  setup: NodeSetup;
  system: SystemFiles;
}

type Handlers = { [Call in keyof WorkerCalls]: (args: WorkerCalls[Call]["args"]) => WorkerCalls[Call]["result"] };

declare const self: Worker;
let node: Node | undefined;
const sandboxes = new Map<string, SandboxSetup>();
const terminals = new Map<string, Bun.Terminal>();

const handlers: Handlers = {
  init(setup) {
    if (node) throw new ChainmailError("NODE_EXISTS", "the node is already set up");
    node = { namespaces: new Namespaces(), setup, system: findSystemFiles() };
    setUpNode(setup);
    return undefined;
  },
  createSandbox(setup) {
    setUpSandbox(ready().namespaces, setup);
    sandboxes.set(setup.id, setup);
    return undefined;
  },
  removeSandbox({ id }) {
    const setup = sandboxes.get(id);
    if (!setup) return undefined;
    sandboxes.delete(id);
    tearDownSandbox(ready().namespaces, setup);
    return undefined;
  },
  dropLink({ link }) {
    ready();
    removeLink(link);
    return undefined;
  },
  startContainer(spec) {
    const { namespaces, setup, system } = ready();
    const { containerId } = spec;
    const { started, terminal } = startContainer(
      {
        namespaces,
        system,
        tools: setup.tools,
        mountPoint: setup.mountPoint,
        hiddenPaths: setup.hiddenPaths,
        hostname: sandboxes.get(spec.sandboxId)?.hostname ?? "localhost",
        onExit: (exit) => {
          terminals.get(containerId)?.close();
          terminals.delete(containerId);
          post({ kind: "exited", containerId, exit });
        },
        onOutput: (chunk) => post({ kind: "output", containerId, chunk }),
      },
      spec,
    );
    if (terminal) terminals.set(containerId, terminal);
    return started;
  },
  nft: ({ commands }) => {
    ready();
    return runNft(commands);
  },
  listen: ({ where, protocol, host, port }) =>
    ready().namespaces.inNetwork(where, () => (protocol === "tcp" ? listenTcp(host, port) : bindUdp(host, port))),
  connect: ({ where, host, port }) => ready().namespaces.inNetwork(where, () => connectMarked(host, port, 0)),
  terminal({ containerId, input, size }) {
    const terminal = terminals.get(containerId);
    if (input) terminal?.write(input);
    if (size) terminal?.resize(size.columns, size.rows);
    return undefined;
  },
};

self.onmessage = (event: MessageEvent<{ call: number; name: keyof WorkerCalls; args: unknown }>) => {
  const { call, name, args } = event.data;
  try {
    // The client pairs names and arguments by the same table of types.
    const handler = handlers[name] as (args: unknown) => unknown;
    post({ kind: "reply", call, result: handler(args) });
  } catch (error) {
    const known = error instanceof ChainmailError ? error : new ChainmailError("NAMESPACE_WORKER", errorText(error));
    post({ kind: "failure", call, error: { code: known.code, message: known.message, ...(known.hint === undefined ? {} : { hint: known.hint }) } });
  }
};

function ready(): Node {
  if (!node) throw new ChainmailError("NODE_NOT_READY", "the node is not set up yet");
  return node;
}

function post(message: WorkerMessage): void {
  self.postMessage(message);
}
