import { ChainmailError } from "../../base/index.ts";
import type { ImageRoot } from "./types.ts";

/** Copies an image's files for one container, where the machine has no overlays. Shares blocks where the disk can. */
export async function copyRoot({ folder, writable }: ImageRoot): Promise<void> {
  const child = Bun.spawn(["cp", "--archive", "--no-target-directory", "--reflink=auto", "--", folder, `${writable}/copy`], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const [message, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new ChainmailError("IMAGE_COPY_FAILED", `the image's files could not be copied: ${message.trim().split("\n")[0]}`);
}
