// Reads HTTP/1 messages with Node's llhttp, run by `node`. A question: {kind: "request" | "response" | "head-response",
// bytes: base64}. The answer: {failed, ended, reason, messages: [{method, url, status, headers, trailers, body, complete}]}.
const { HTTPParser } = process.binding("http_parser");
const names = require("_http_common").methods ?? HTTPParser.methods;

function parse({ kind, bytes }) {
  const messages = [];
  const parser = new HTTPParser();
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  let current;
  let early = [];
  let earlyUrl;
  // Called for long heads in parts, and for trailers.
  parser[HTTPParser.kOnHeaders] = (headers, url) => {
    if (current && !current.complete) current.trailers.push(...headers);
    else {
      early.push(...headers);
      earlyUrl = url;
    }
  };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, headers, method, url, status) => {
    const all = early.concat(headers ?? []);
    early = [];
    current = { method: names[method], url: url ?? earlyUrl, status, headers: [], trailers: [], body: [], complete: false };
    for (let i = 0; i < all.length; i += 2) current.headers.push([all[i].toLowerCase(), all[i + 1]]);
    messages.push(current);
    return kind === "head-response" ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (part) => {
    current.body.push(Buffer.from(part));
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (current) current.complete = true;
  };
  const result = parser.execute(Buffer.from(bytes, "base64"));
  const failed = result instanceof Error;
  let ended = false;
  if (!failed && kind !== "request") ended = !(parser.finish() instanceof Error);
  for (const message of messages) message.body = Buffer.concat(message.body).toString("latin1");
  parser.close?.();
  return { failed, ended, reason: failed ? result.code : undefined, messages };
}

let held = "";
process.stdin.setEncoding("latin1");
process.stdin.on("data", (chunk) => {
  held += chunk;
  for (let at = held.indexOf("\n"); at >= 0; at = held.indexOf("\n")) {
    const line = held.slice(0, at);
    held = held.slice(at + 1);
    process.stdout.write(`${JSON.stringify(parse(JSON.parse(line)))}\n`);
  }
});
