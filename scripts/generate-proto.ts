/**
 * Generates src/proto/gen from the .proto files of Envoy (which the package @grpc/grpc-js-xds carries) and our own in
 * src/proto/protos, and gen/validation-rules.ts with what Envoy's API says of values. Only the files in ROOTS and what they import are generated, without comments and custom options:
 * each pod's process loads these descriptors, so their size counts. Skipped when the stamp says nothing has changed.
 *
 *   bun scripts/generate-proto.ts [--force]
 */
import { create, fromBinary, toBinary, type Message } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  type FileDescriptorSet,
} from "@bufbuild/protobuf/wkt";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOTS } from "./generate-proto.roots.ts";
import { validationRules } from "./validation-rules.ts";

const ROOT = join(import.meta.dir, "..");
const DEPS = join(ROOT, "node_modules/@grpc/grpc-js-xds/deps");
const OWN = join(ROOT, "src/proto/protos");
const OUT = join(ROOT, "src/proto/gen");
const WORK = join(ROOT, "node_modules/.cache/chainmail-proto");
const SOURCES = [OWN, ...["envoy-api", "xds", "protoc-gen-validate", "googleapis"].map((part) => join(DEPS, part))];

/** What the snapshot lacks and istiod sends. Each `find` must occur: a new snapshot that has it fails loudly here. */
const PATCHES: Record<string, { find: string; replace: string; imports?: string[] }> = {
  "envoy/config/cluster/v3/cluster.proto": {
    find: "  repeated string lrs_report_endpoint_metrics = 57;\n",
    replace: "  repeated string lrs_report_endpoint_metrics = 57;\n  google.protobuf.Duration dns_jitter = 58;\n",
  },
  "envoy/config/trace/v3/zipkin.proto": {
    find: '  bool split_spans_for_request = 7\n      [deprecated = true, (envoy.annotations.deprecated_at_minor_version) = "3.0"];\n',
    replace: `  bool split_spans_for_request = 7 [deprecated = true];
  enum TraceContextOption {
    USE_B3 = 0;
    USE_B3_WITH_W3C_PROPAGATION = 1;
  }
  TraceContextOption trace_context_option = 8;
  config.core.v3.HttpService collector_service = 9;
`,
    imports: ["envoy/config/core/v3/http_service.proto"],
  },
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto": {
    find: "    google.protobuf.BoolValue spawn_upstream_span = 10;\n",
    replace: "    google.protobuf.BoolValue spawn_upstream_span = 10;\n    bool no_context_propagation = 13;\n",
  },
  "envoy/type/tracing/v3/custom_tag.proto": {
    find: "    Metadata metadata = 5;\n",
    replace: "    Metadata metadata = 5;\n    string value = 6;\n",
  },
  "envoy/extensions/wasm/v3/wasm.proto": {
    find: "  CapabilityRestrictionConfig capability_restriction_config = 6;\n}\n",
    replace: `  CapabilityRestrictionConfig capability_restriction_config = 6;
  FailurePolicy failure_policy = 7;
}
enum FailurePolicy {
  UNSPECIFIED = 0;
  FAIL_RELOAD = 1;
  FAIL_CLOSED = 2;
  FAIL_OPEN = 3;
}
`,
  },
  "envoy/extensions/http/original_ip_detection/xff/v3/xff.proto": {
    find: "  uint32 xff_num_trusted_hops = 1;\n}\n",
    replace: `  uint32 xff_num_trusted_hops = 1;
  XffTrustedCidrs xff_trusted_cidrs = 2;
  google.protobuf.BoolValue skip_xff_append = 3;
}
message XffTrustedCidrs {
  repeated config.core.v3.CidrRange cidrs = 1;
}
`,
    imports: ["envoy/config/core/v3/address.proto", "google/protobuf/wrappers.proto"],
  },
  "envoy/type/http/v3/cookie.proto": {
    find: "  string path = 3;\n}\n",
    replace: `  string path = 3;
  repeated CookieAttribute attributes = 4;
}
message CookieAttribute {
  string name = 1;
  string value = 2;
}
`,
  },
  "validate/validate.proto": {
    find: "  optional bool strict = 25 [default = true];\n",
    replace: "  optional bool strict = 25 [default = true];\n  optional bool ignore_empty = 26;\n",
  },
};

function main(): void {
  const stamp = join(OUT, ".stamp");
  const wanted = fingerprint();
  if (!process.argv.includes("--force") && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const started = Date.now();
  const protos = join(WORK, "protos");
  rmSync(WORK, { recursive: true, force: true });
  copyClosure(protos);
  const set = buildDescriptors(protos);
  const rules = validationRules(set);
  const files = strip(set);
  const fresh = join(WORK, "gen");
  const count = generate(files, fresh);
  writeFileSync(join(fresh, "validation-rules.ts"), rules);
  writeFileSync(join(fresh, ".stamp"), wanted);
  // The old directory goes only once the new one is whole; other processes may be importing from it.
  const old = join(WORK, "old");
  mkdirSync(dirname(OUT), { recursive: true });
  if (existsSync(OUT)) renameSync(OUT, old);
  renameSync(fresh, OUT);
  rmSync(WORK, { recursive: true, force: true });
  console.log(`src/proto/gen: ${count} files in ${Date.now() - started} ms`);
}

/** Changes whenever anything that the output depends on changes. */
function fingerprint(): string {
  const hash = createHash("sha256");
  for (const path of [
    import.meta.path,
    join(import.meta.dir, "generate-proto.roots.ts"),
    join(import.meta.dir, "validation-rules.ts"),
    join(ROOT, "node_modules/@grpc/grpc-js-xds/package.json"),
    join(ROOT, "node_modules/@bufbuild/protoc-gen-es/package.json"),
    ...ownProtos().map((path) => join(OWN, path)),
  ]) {
    hash.update(relative(ROOT, path)).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function ownProtos(): string[] {
  return readdirSync(OWN, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".proto"))
    .sort();
}

/** Copies the roots and all they import into one directory, patched. */
function copyClosure(target: string): void {
  const queue = [...ROOTS, ...ownProtos()];
  const seen = new Set<string>();
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path) || path.startsWith("google/protobuf/")) continue;
    seen.add(path);
    const source = SOURCES.find((directory) => existsSync(join(directory, path)));
    if (!source) throw new Error(`${path}: no such file in ${SOURCES.join(", ")}`);
    let text = readFileSync(join(source, path), "utf8").replaceAll("\r\n", "\n");
    const patch = PATCHES[path];
    if (patch) {
      if (!text.includes(patch.find)) throw new Error(`${path}: the patched place has changed; check PATCHES in scripts/generate-proto.ts`);
      text = text.replace(patch.find, patch.replace);
      for (const path of patch.imports ?? []) text = text.replace(/^import /m, `import "${path}";\nimport `);
    }
    for (const [, imported] of text.matchAll(/^import\s+(?:public\s+)?"([^"]+)"/gm)) queue.push(imported ?? "");
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), text);
  }
}

function buildDescriptors(protos: string): FileDescriptorSet {
  const image = join(WORK, "image.binpb");
  run(["node_modules/@bufbuild/buf/bin/buf", "build", protos, "--as-file-descriptor-set", "--exclude-source-info", "-o", image]);
  return fromBinary(FileDescriptorSetSchema, readFileSync(image));
}

/** Takes away custom options (validation rules, annotations) and then the imports that nothing needs any more. */
function strip(set: FileDescriptorSet): FileDescriptorProto[] {
  const owner = new Map<string, string>();
  for (const file of set.file) for (const name of declared(file)) owner.set(name, file.name);
  for (const file of set.file) {
    delete file.options;
    const needed = new Set<string>();
    const visit = (message: DescriptorProto): void => {
      dropUnknown(message.options);
      for (const field of [...message.field, ...message.extension]) {
        dropUnknown(field.options);
        if (field.typeName) needed.add(owner.get(field.typeName) ?? "");
      }
      for (const oneof of message.oneofDecl) delete oneof.options;
      for (const nested of message.enumType) visitEnum(nested);
      message.nestedType.forEach(visit);
    };
    const visitEnum = (type: EnumDescriptorProto): void => {
      dropUnknown(type.options);
      for (const value of type.value) dropUnknown(value.options);
    };
    file.messageType.forEach(visit);
    file.enumType.forEach(visitEnum);
    for (const service of file.service) {
      delete service.options;
      for (const method of service.method) {
        delete method.options;
        needed.add(owner.get(method.inputType) ?? "").add(owner.get(method.outputType) ?? "");
      }
    }
    for (const extension of file.extension) needed.add(owner.get(extension.extendee) ?? "");
    file.dependency = file.dependency.filter((path) => needed.has(path));
    file.publicDependency = [];
    file.weakDependency = [];
  }
  const byName = new Map(set.file.map((file) => [file.name, file]));
  const kept = new Set<FileDescriptorProto>();
  const keep = (path: string): void => {
    const file = byName.get(path);
    if (!file || kept.has(file)) return;
    file.dependency.forEach(keep);
    kept.add(file);
  };
  [...ROOTS, ...ownProtos()].forEach(keep);
  return [...kept];
}

function declared(file: FileDescriptorProto): string[] {
  const names: string[] = [];
  const prefix = file.package ? `.${file.package}` : "";
  const visit = (message: DescriptorProto, scope: string): void => {
    names.push(`${scope}.${message.name}`, ...message.enumType.map((type) => `${scope}.${message.name}.${type.name}`));
    for (const nested of message.nestedType) visit(nested, `${scope}.${message.name}`);
  };
  for (const message of file.messageType) visit(message, prefix);
  return [...names, ...file.enumType.map((type) => `${prefix}.${type.name}`)];
}

/** Custom options are extensions, which nobody registered: they are the message's unknown fields. */
function dropUnknown(options: Message | undefined): void {
  if (options) delete options.$unknown;
}

function generate(protoFile: FileDescriptorProto[], target: string): number {
  const fileToGenerate = protoFile.map((file) => file.name).filter((name) => !name.startsWith("google/protobuf/"));
  const request = create(CodeGeneratorRequestSchema, {
    parameter: "target=ts,import_extension=ts",
    protoFile,
    fileToGenerate,
    compilerVersion: { major: 5, minor: 29, patch: 0 },
  });
  const output = run(["node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es"], toBinary(CodeGeneratorRequestSchema, request));
  const response = fromBinary(CodeGeneratorResponseSchema, output);
  if (response.error) throw new Error(`protoc-gen-es: ${response.error}`);
  for (const { name, content } of response.file) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), content);
  }
  writeFileSync(join(target, "all-files.ts"), allFiles(fileToGenerate));
  return response.file.length;
}

/** A module that loads every generated file: for JSON, where any type may turn up inside an Any. */
function allFiles(paths: string[]): string {
  const lines = paths.map((path) => {
    const symbol = `file_${path.replace(/\.proto$/, "").replaceAll(/[^a-zA-Z0-9_]/g, "_")}`;
    return { symbol, line: `import { ${symbol} } from "./${path.replace(/\.proto$/, "_pb.ts")}";` };
  });
  return `${lines.map(({ line }) => line).join("\n")}\n\nexport const allFiles = [\n${lines.map(({ symbol }) => `  ${symbol},`).join("\n")}\n];\n`;
}

function run(command: string[], stdin?: Uint8Array): Uint8Array {
  const [program, ...parameters] = command;
  const done = Bun.spawnSync([process.execPath, join(ROOT, program ?? ""), ...parameters], {
    cwd: ROOT,
    ...(stdin && { stdin }),
    stdout: "pipe",
    stderr: "pipe",
  });
  if (!done.success) throw new Error(`${command.join(" ")}: ${done.stderr.toString()}`);
  return done.stdout;
}

main();
