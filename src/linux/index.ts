/**
 * linux is the only place that calls the kernel through FFI: sockets with marks and original destinations, namespaces,
 * mounts, rtnetlink and nftables. Every call is synchronous, acts in the namespaces of the calling thread, and throws a
 * SystemError that carries errno's name. It knows nothing of pods, services or meshes, and loads no library before the
 * first call that needs it.
 */
export { SystemError, errnoName } from "./errno.ts";
export { connectMarked, connectResult, waitConnected, type ConnectOptions, type ConnectResult } from "./connect.ts";
export { originalDestination, type SocketAddress } from "./original-destination.ts";
export { isIPv4, isIPv6, formatIPv4, parseIPv4 } from "./socket-address.ts";
export { closeFd, getSocketOption, setSocketOption, shortestRoundTrip, shutdownWrite, SocketOption } from "./socket-options.ts";
export { bindUdp, listenTcp } from "./listen.ts";
export {
  changeOwner,
  createMemoryFile,
  createPipe,
  duplicateFd,
  growPipe,
  pollFd,
  readBlocking,
  setNonBlocking,
  tryLock,
  writeAll,
  writeSome,
} from "./files.ts";
export {
  enterNamespace,
  leaveSessionKeyring,
  NamespaceFlag,
  namespaceInode,
  openNamespace,
  setFileMask,
  setHostname,
  unshareThread,
  type NamespaceKind,
} from "./namespaces.ts";
export {
  bindMount,
  cloneTree,
  cloneTreeOf,
  makeReadOnly,
  mountFilesystem,
  moveTree,
  MountFlag,
  pivotRoot,
  pivotRootKeeping,
  setPropagationPrivate,
  unmountDetached,
} from "./mounts.ts";
export { makeFolderBeneath, openBeneath, openFolder } from "./beneath.ts";
export { restrictSystemCalls } from "./seccomp.ts";
export { openTerminal, resizeTerminal } from "./terminals.ts";
export { rtnetlink, type NetlinkRequest } from "./netlink.ts";
export { addAddress, addNeighbour, addRoute, createVeth, deleteLink, interfaceIndex, setLinkUp } from "./links.ts";
export { nftablesAvailable, runNft } from "./nftables.ts";
