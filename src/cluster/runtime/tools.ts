import { accessSync, constants } from "node:fs";
import { ChainmailError } from "../../base/index.ts";
import type { ContainerTools } from "./worker/protocol.ts";

/** The folders whose programs a container's root holds too; the caller's PATH may name others. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** Finds the binaries that start containers. Throws TOOL_MISSING with the package to install. */
export function findTools(): ContainerTools {
  return { unshare: find("unshare"), setpriv: find("setpriv"), nsenter: find("nsenter"), setsid: find("setsid"), env: find("env"), sh: find("sh") };
}

function find(name: string): string {
  for (const folder of FOLDERS) {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch {
      continue; // Not in this folder.
    }
  }
  throw new ChainmailError("TOOL_MISSING", `${name} is not installed: pods cannot be started without it`, {
    hint: "sudo apt-get install -y util-linux coreutils",
  });
}
