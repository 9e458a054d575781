import { CString, dlopen, type Pointer } from "bun:ffi";
import { ChainmailError } from "../base/index.ts";
import { cString } from "./libc.ts";

const DECLARATIONS = {
  nft_ctx_new: { returns: "ptr", args: ["u32"] },
  nft_ctx_free: { returns: "void", args: ["ptr"] },
  nft_ctx_buffer_output: { returns: "int", args: ["ptr"] },
  nft_ctx_get_output_buffer: { returns: "ptr", args: ["ptr"] },
  nft_ctx_buffer_error: { returns: "int", args: ["ptr"] },
  nft_ctx_get_error_buffer: { returns: "ptr", args: ["ptr"] },
  nft_run_cmd_from_buffer: { returns: "int", args: ["ptr", "ptr"] },
} as const;

const open = () => dlopen("libnftables.so.1", DECLARATIONS).symbols;
let library: ReturnType<typeof open> | undefined;

/**
 * Runs nft commands as one transaction in the calling thread's network namespace and returns what they print. A refusal
 * throws NFT_FAILED with nft's own message; nothing of the transaction is then in force. Rootless, one transaction must
 * stay below about 200 KB (the kernel refuses larger netlink messages): the caller splits.
 */
export function runNft(commands: string): string {
  const nft = load();
  // A context a call: it opens its netlink socket in the namespace of that moment.
  const context = nft.nft_ctx_new(0);
  if (context === null) throw new ChainmailError("NFT_FAILED", "libnftables cannot make a context: out of memory");
  try {
    nft.nft_ctx_buffer_output(context);
    nft.nft_ctx_buffer_error(context);
    const result = nft.nft_run_cmd_from_buffer(context, cString(commands));
    if (result !== 0) throw new ChainmailError("NFT_FAILED", `nft refused: ${text(nft.nft_ctx_get_error_buffer(context)).trim()}`);
    return text(nft.nft_ctx_get_output_buffer(context));
  } finally {
    nft.nft_ctx_free(context);
  }
}

/** Whether the library can be loaded; false means the hint of NFTABLES_MISSING applies. */
export function nftablesAvailable(): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

function load(): ReturnType<typeof open> {
  if (library) return library;
  try {
    library = open();
  } catch (cause) {
    throw new ChainmailError("NFTABLES_MISSING", "libnftables.so.1 is not installed: pods' traffic rules need it", {
      cause,
      hint: "sudo apt-get install -y libnftables1   (Fedora: sudo dnf install nftables-libs or nftables)",
    });
  }
  return library;
}

function text(pointer: Pointer | bigint | null): string {
  return pointer === null ? "" : new CString(pointer).toString();
}
