import type { Readable } from "node:stream";
import { MAX_BODY_BYTES } from "./exchange.ts";
import { tooLarge } from "./status.ts";

/** As the real server's request timeout: a body that takes longer is not coming. */
const BODY_TIMEOUT_MS = 60_000;

/** The whole body of a request, `declared` bytes long if that was said. Rejects with 413 beyond the limit. */
export function readBody(source: Readable, declared: string | undefined): Promise<Uint8Array> {
  if (Number(declared ?? 0) > MAX_BODY_BYTES) return Promise.reject(bodyTooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => source.destroy(new Error("the body did not arrive in time")), BODY_TIMEOUT_MS);
    let isSettled = false;
    const fail = (error: Error) => {
      isSettled = true;
      clearTimeout(timer);
      source.off("data", take);
      reject(error);
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      // What comes after is let pass: the answer says why nothing is done with it.
      if (size > MAX_BODY_BYTES) fail(bodyTooLarge());
      else chunks.push(chunk);
    };
    source.on("data", take);
    source.once("end", () => {
      isSettled = true;
      clearTimeout(timer);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    source.once("error", fail);
    source.once("close", () => {
      if (!isSettled) fail(new Error("the client went before its body had come"));
    });
  });
}

function bodyTooLarge(): Error {
  return tooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
}
