/// <reference lib="webworker" />
import { ChainmailError, errorText } from "../../../base/index.ts";
import { bindUdp, connectMarked, listenTcp, mountFilesystem, MountFlag, restrictSystemCalls, runNft, unmountDetached } from "../../../linux/index.ts";
import { startContainer, type StartContext } from "./container-start.ts";
import { probeRootMode } from "./image-root.ts";
import { Namespaces } from "./namespaces.ts";
import { removeLink, setUpNode, setUpSandbox, tearDownSandbox } from "./node-network.ts";
import { enterContainer } from "./process-enter.ts";
import type { RootMode } from "../types.ts";
import type { NodeSetup, SandboxSetup, WorkerCalls, WorkerMessage } from "./protocol.ts";
import { findSystemFiles, type SystemFiles } from "./system-files.ts";
import { buildToolsRoot, type ToolsRoot } from "./tools-root.ts";

// The namespace worker's thread. Everything here is synchronous: while it is away from home nothing else may run on it,
// and a thread or process started from it inherits the namespaces it is in.

interface Node {
  namespaces: Namespaces;
  setup: NodeSetup;
  system: SystemFiles;
  toolsRoot: ToolsRoot;
  rootMode: RootMode;
}

type Handlers = { [Call in keyof WorkerCalls]: (args: WorkerCalls[Call]["args"]) => WorkerCalls[Call]["result"] };

declare const self: Worker;
let node: Node | undefined;
const sandboxes = new Map<string, SandboxSetup>();

const handlers: Handlers = {
  init(setup) {
    if (node) throw new ChainmailError("NODE_EXISTS", "the node is already set up");
    const namespaces = new Namespaces();
    const system = findSystemFiles();
    const rootMode = setup.rootMode ?? probeRootMode(namespaces, setup.probeFolder, setup.mountPoint);
    node = { namespaces, setup, system, rootMode, toolsRoot: buildToolsRoot(setup.toolsPoint, system, setup.hiddenPaths) };
    setUpNode(setup);
    // All containers, and what is started in them, come from this thread.
    restrictSystemCalls();
    return { rootMode };
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
  startContainer: (spec) => startContainer(contextFor(spec.containerId), spec),
  enterContainer: (spec) => enterContainer(contextFor(spec.processId), spec),
  mountMemory({ folder, bytes }) {
    ready();
    mountFilesystem("tmpfs", folder, MountFlag.NO_SUID | MountFlag.NO_DEV, `mode=777${bytes === undefined ? "" : `,size=${bytes}`}`);
    return undefined;
  },
  releaseMemory({ folder }) {
    ready();
    unmountDetached(folder);
    return undefined;
  },
  nft: ({ commands }) => {
    ready();
    return runNft(commands);
  },
  listen: ({ where, protocol, host, port }) => ready().namespaces.inNetwork(where, () => (protocol === "tcp" ? listenTcp(host, port) : bindUdp(host, port))),
  connect: ({ where, host, port }) => ready().namespaces.inNetwork(where, () => connectMarked(host, port, 0)),
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

function contextFor(processId: string): StartContext {
  const { namespaces, setup, system, toolsRoot, rootMode } = ready();
  return {
    rootMode,
    namespaces,
    system,
    toolsRoot,
    tools: setup.tools,
    mountPoint: setup.mountPoint,
    hiddenPaths: setup.hiddenPaths,
    onExit: (exit) => post({ kind: "exited", processId, exit }),
  };
}

function ready(): Node {
  if (!node) throw new ChainmailError("NODE_NOT_READY", "the node is not set up yet");
  return node;
}

function post(message: WorkerMessage): void {
  self.postMessage(message);
}
