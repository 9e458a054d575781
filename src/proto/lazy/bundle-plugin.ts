import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BunPlugin } from "bun";

/**
 * For `Bun.build`: the bundle's descriptors are lazy ones, and readers and writers of messages are made for the fields and
 * types that occur, where protobuf-es makes them for all that could be reached from a message (its compile cache is in
 * from-binary.js and to-binary.js). Fails the build when the pinned protobuf-es is not as it was.
 */
export const lazyProtobuf: BunPlugin = {
  name: "lazy-protobuf",
  setup(build) {
    build.onLoad({ filter: /\/@bufbuild\/protobuf\/dist\/[a-z]+\/.*\.js$/ }, ({ path }) => {
      if (path.endsWith("/codegenv2/file.js"))
        return { contents: `export { fileDesc } from ${JSON.stringify(join(import.meta.dir, "file-desc.ts"))};`, loader: "js" };
      let contents = readFileSync(path, "utf8");
      for (const { file, find, replace, times } of PATCHES) {
        if (!path.endsWith(file)) continue;
        const parts = contents.split(find);
        if (parts.length !== times + 1) throw new Error(`${path}: the patched place has changed; check PATCHES in ${import.meta.path}`);
        contents = parts.join(replace);
      }
      return { contents, loader: "js" };
    });
  },
};

const PATCHES: readonly { readonly file: string; readonly find: string; readonly replace: string; readonly times: number }[] = [
  {
    // A field's reader is made when the field first occurs.
    file: "/esm/from-binary.js",
    find: "const fieldReaders = new Map();",
    replace: `const fieldReaders = { made: new Map(), get(no) {
        let made = this.made.get(no);
        if (made === undefined) {
            const field = desc.fields.find((each) => each.number === no);
            if (field !== undefined) this.made.set(no, made = compileFieldReader(field));
        }
        return made;
    } };`,
    times: 1,
  },
  {
    file: "/esm/from-binary.js",
    find: `    for (const field of desc.fields) {
        fieldReaders.set(field.number, compileFieldReader(field));
    }
`,
    replace: "",
    times: 1,
  },
  {
    // The same for JSON, whose fields have two names; where two fields claim one, the later has it.
    file: "/esm/from-json.js",
    find: "const fieldsByJsonKey = new Map();",
    replace: `const fieldsByJsonKey = { made: new Map(), get(key) {
        let made = this.made.get(key);
        if (made === undefined) {
            const field = desc.fields.findLast((each) => each.name === key || each.jsonName === key);
            if (field !== undefined) {
                made = { read: compileFieldReader(field), field, oneof: field.oneof, oneofScalarNullSkip: field.oneof !== undefined && field.fieldKind == "scalar" };
                this.made.set(key, made);
            }
        }
        return made;
    } };`,
    times: 1,
  },
  {
    file: "/esm/from-json.js",
    find: `    for (const field of desc.fields) {
        const entry = {
            read: compileFieldReader(field),
            field,
            oneof: field.oneof,
            oneofScalarNullSkip: field.oneof !== undefined && field.fieldKind == "scalar",
        };
        fieldsByJsonKey.set(field.name, entry).set(field.jsonName, entry);
    }
`,
    replace: "",
    times: 1,
  },
  {
    file: "/esm/to-json.js",
    find: "const writeMessage = compiledWriter(field.message);",
    replace: `let made;
    const writeMessage = (opts, message) => (made ?? (made = compiledWriter(field.message)))(opts, message);`,
    times: 1,
  },
  {
    // A field's writer is made when the field first has something to write. What has not: nothing, a oneof of another case,
    // an empty list, and the zero of its type where that counts as nothing.
    file: "/esm/to-binary.js",
    find: "            fieldWriters[i](writer, opts, message);",
    replace: `            const made = fieldWriters[i];
            if (typeof made === "function") {
                made(writer, opts, message);
                continue;
            }
            if (made.oneof !== undefined) {
                if (message[made.oneof.localName].case !== made.localName) continue;
            } else {
                const value = message[made.localName];
                if (value === undefined || (made.fieldKind === "list" && value.length === 0)) continue;
                if (made.presence === IMPLICIT && (value === false || value === "" || value === 0n || Object.is(value, 0))) continue;
            }
            (fieldWriters[i] = compileField(made))(writer, opts, message);`,
    times: 1,
  },
  {
    file: "/esm/to-binary.js",
    find: "fieldWriters.push(compileField(field));",
    replace: "fieldWriters.push(field);",
    times: 1,
  },
  {
    // A message's writer is made when a message of its type is first written.
    file: "/esm/to-binary.js",
    find: "const writeMessage = compiledWriter(field.message);",
    replace: `let made;
    const writeMessage = (writer, opts, message) => (made ?? (made = compiledWriter(field.message)))(writer, opts, message);`,
    times: 2,
  },
];
