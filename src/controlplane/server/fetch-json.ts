/** Key sets and discovery documents are a few KB; such a text may go into every listener that checks tokens. */
const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 5_000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A small text from an issuer of tokens. Throws when the URL, the answer or its size is not what it should be. */
export async function fetchText(url: string, get: Fetch = (target, init) => fetch(target, init)): Promise<string> {
  if (!/^https?:\/\//.test(url)) throw new Error(`${url} is not an http or https URL`);
  const response = await get(url, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`${url} answered with status ${response.status}`);
  const body = await response.text();
  if (body.length > MAX_BYTES) throw new Error(`${url} answered with more than ${MAX_BYTES} bytes`);
  return body;
}

export async function fetchJson(url: string): Promise<unknown> {
  return JSON.parse(await fetchText(url));
}
