import { LazyFile } from "./lazy-file.ts";

/** What generated code calls for each .proto file, in place of the function of the same name in protobuf-es. */
export function fileDesc(descriptor: string, imports: readonly LazyFile[] = []): LazyFile {
  return new LazyFile(descriptor, imports);
}
