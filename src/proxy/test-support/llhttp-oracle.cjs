// Reads requests with Node's llhttp: one base64 line in, one JSON line out. Run by `node`, for h1-server.fuzz.test.ts.
const { HTTPParser } = process.binding("http_parser");
const METHODS = require("node:http").METHODS.slice();
const names = HTTPParser.methods ?? require("_http_common").methods ?? METHODS;

function parse(bytes) {
  const requests = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {});
  let current;
  let pending = [];
  parser[HTTPParser.kOnHeaders] = (major, minor, headers, method, url) => {
    const all = headers ?? pending;
    pending = [];
    current = { method: names[method], url, body: "", complete: false, headers: all.length / 2 };
    requests.push(current);
    return 0;
  };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, headers, method, url) => {
    const all = headers ?? pending;
    pending = [];
    current = { method: names[method], url, body: "", complete: false, headers: all.length / 2 };
    requests.push(current);
    return 0;
  };
  parser[HTTPParser.kOnBody] = (buffer, offset, length) => {
    const part = offset === undefined ? buffer : buffer.subarray(offset, offset + length);
    current.body += Buffer.from(part).toString("base64") + ".";
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (current) current.complete = true;
  };
  const result = parser.execute(bytes);
  const failed = result instanceof Error;
  for (const request of requests) {
    request.body = Buffer.concat(request.body.split(".").filter(Boolean).map((part) => Buffer.from(part, "base64"))).toString("latin1");
  }
  parser.close?.();
  return { failed, reason: failed ? result.code : undefined, requests };
}

let held = "";
process.stdin.setEncoding("latin1");
process.stdin.on("data", (chunk) => {
  held += chunk;
  for (let at = held.indexOf("\n"); at >= 0; at = held.indexOf("\n")) {
    const line = held.slice(0, at);
    held = held.slice(at + 1);
    process.stdout.write(`${JSON.stringify(parse(Buffer.from(line, "base64")))}\n`);
  }
});
