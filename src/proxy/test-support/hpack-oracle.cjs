// HPACK as Node's nghttp2 writes and reads it, run by `node`. Questions, each answered by one line:
// {encode: [{tableSize?, headers: [[name, value]]}]}  ->  {frames: base64}: what a client sends for one request after
//   another; `tableSize` is the server's SETTINGS_HEADER_TABLE_SIZE from then on.
// {decode: base64}  ->  {responses: [[[name, value]]], error}: what a client reads of a server's frames, which answer
//   the requests of streams 1, 3, 5…
const http2 = require("node:http2");
const { Duplex } = require("node:stream");

function frame(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function connect() {
  const sent = [];
  const pipe = new Duplex({ read() {}, write: (chunk, _encoding, done) => (sent.push(Buffer.from(chunk)), done()) });
  const client = http2.connect("http://a", { createConnection: () => pipe, maxHeaderListPairs: 1000 });
  client.on("error", () => {});
  return { client, sent, pipe };
}

const pairs = (raw) => Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

async function encode(requests) {
  const { client, sent, pipe } = connect();
  pipe.push(frame(4, 0, 0, Buffer.alloc(0)));
  await settled();
  for (const { tableSize, headers } of requests) {
    if (tableSize !== undefined) {
      const setting = Buffer.alloc(6);
      setting.writeUInt16BE(1, 0);
      setting.writeUInt32BE(tableSize, 2);
      pipe.push(frame(4, 0, 0, setting));
      await settled();
    }
    const fields = {};
    for (const [name, value] of headers) fields[name] = name in fields ? [].concat(fields[name], value) : value;
    const stream = client.request(fields);
    stream.on("error", () => {});
    await settled();
  }
  client.destroy();
  return { frames: Buffer.concat(sent).toString("base64") };
}

async function decode(bytes) {
  const { client, pipe } = connect();
  const responses = [];
  let error;
  client.on("error", (problem) => (error ??= problem.message));
  // As many requests as there are answers at most.
  for (let i = 0; i < 8; i++) {
    const stream = client.request({ ":path": "/" });
    stream.on("error", () => {});
    stream.on("response", (_headers, _flags, raw) => (responses[i] = pairs(raw)));
    stream.resume();
  }
  await settled();
  pipe.push(Buffer.from(bytes, "base64"));
  await settled();
  await settled();
  client.destroy();
  return { responses: responses.filter(Boolean), error };
}

let held = "";
let turn = Promise.resolve();
process.stdin.setEncoding("latin1");
process.stdin.on("data", (chunk) => {
  held += chunk;
  for (let at = held.indexOf("\n"); at >= 0; at = held.indexOf("\n")) {
    const question = JSON.parse(held.slice(0, at));
    held = held.slice(at + 1);
    turn = turn.then(async () => {
      const answer = question.encode ? await encode(question.encode) : await decode(question.decode);
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    });
  }
});
