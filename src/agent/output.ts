/**
 * Standard output and error without Node's streams, which cost every pod 2 MB of private memory. Bun's writers keep what
 * the other end has not taken yet, so a slow log collector does not stop the proxy.
 */

let output: Bun.FileSink | undefined;
let error: Bun.FileSink | undefined;

export function writeOutput(text: string): void {
  write((output ??= Bun.stdout.writer()), text);
}

export function writeError(text: string): void {
  write((error ??= Bun.stderr.writer()), text);
}

function write(sink: Bun.FileSink, text: string): void {
  sink.write(text);
  // A reader that has gone away must not end the proxy: there is nobody to tell.
  Promise.resolve(sink.flush()).catch(() => {});
}
