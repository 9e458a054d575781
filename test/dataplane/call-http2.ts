import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import type { Outcome, Wire } from "./call.ts";
import { addHeader, type Answer } from "./responses.ts";
import type { H2Request } from "./row.ts";

/** An answer that does not come is given up after this. */
const LIMIT_MS = 6000;
const FATE_MS = 60;

/** Makes requests at the same time over one HTTP/2 connection. */
export async function callHttp2(wire: Wire, requests: readonly H2Request[], patience: number): Promise<Outcome> {
  const session = connect("http://row.test", { createConnection: () => wire.socket });
  let end: Outcome["end"] = "open";
  session.on("error", () => (end = "reset"));
  session.on("goaway", () => (end = "fin"));
  session.on("close", () => (end = end === "open" ? "fin" : end));
  const answers = await Promise.all(requests.map((request) => ask(session, request)));
  await Bun.sleep(FATE_MS * patience);
  wire.end = end;
  session.destroy();
  wire.close();
  return wire.outcome(answers.flat());
}

async function ask(session: ClientHttp2Session, request: H2Request): Promise<Answer[]> {
  const { method = "GET", path = "/", host = "row.test", scheme = "http", headers = [], body, trailers, want, cancelAfter, bodyAfter } = request;
  const fields: Record<string, string | string[]> = { ":method": method, ":path": path, ":scheme": scheme, ":authority": host };
  if (method === "CONNECT") {
    delete fields[":path"];
    delete fields[":scheme"];
  }
  if (want) fields["x-want"] = JSON.stringify(want);
  for (const [name, value] of headers) addHeader(fields, name, value);
  const found: Answer[] = [];
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(fields, { endStream: body === undefined && !trailers, waitForTrailers: trailers !== undefined });
  } catch (error) {
    return [{ status: 0, headers: {}, body: String(error) }];
  }
  let status = 0;
  let head: Record<string, string | string[]> = {};
  let text = "";
  let last: Record<string, string | string[]> | undefined;
  stream.on("headers", (informational: IncomingHttpHeaders) =>
    found.push({ status: Number(informational[":status"]), headers: fieldsOf(informational), body: "" }),
  );
  stream.on("response", (response: IncomingHttpHeaders) => {
    status = Number(response[":status"]);
    head = fieldsOf(response);
  });
  stream.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  stream.on("trailers", (fields: IncomingHttpHeaders) => (last = fieldsOf(fields)));
  stream.on("wantTrailers", () => stream.sendTrailers(Object.fromEntries(trailers ?? [])));
  stream.on("error", () => {});
  if (cancelAfter !== undefined) setTimeout(() => stream.close(8), cancelAfter);
  if (body !== undefined || trailers) {
    if (bodyAfter) await Bun.sleep(bodyAfter);
    stream.end(body ?? "");
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LIMIT_MS);
    stream.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  const rst = stream.rstCode;
  return [...found, { status, headers: head, body: text, ...(last && { trailers: last }), ...(rst ? { rst } : {}) }];
}

function fieldsOf(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (name.startsWith(":") || value === undefined ? [] : [[name, value]])));
}
