import { clone, fromBinary, toBinary, type DescMessage, type Message, type MessageShape, type Registry } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import type { Any } from "@bufbuild/protobuf/wkt";

/**
 * Merges a patch into a message: what the patch sets replaces, messages merge field by field, lists grow (or are replaced)
 * and maps take the patch's entries. Durations are values, not messages with two fields.
 */
export function mergeInto<Desc extends DescMessage>(schema: Desc, target: MessageShape<Desc>, patch: MessageShape<Desc>, replaceLists = false): void {
  mergeReflected(reflect(schema, target), reflect(schema, clone(schema, patch)), replaceLists);
}

/** Two configurations of one type merged. Throws when the types differ, or are not known. */
export function mergeAny(target: Any, patch: Any, registry: Registry): Any {
  const typeName = target.typeUrl.slice(target.typeUrl.lastIndexOf("/") + 1);
  const schema = registry.getMessage(typeName);
  if (!schema || patch.typeUrl.slice(patch.typeUrl.lastIndexOf("/") + 1) !== typeName)
    throw new Error(`a ${patch.typeUrl} cannot be merged into a ${target.typeUrl}`);
  const message: Message = fromBinary(schema, target.value);
  mergeInto(schema, message, fromBinary(schema, patch.value));
  return { ...target, value: toBinary(schema, message) };
}

function mergeReflected(target: ReflectMessage, patch: ReflectMessage, replaceLists: boolean): void {
  for (const field of patch.fields) {
    if (!patch.isSet(field)) continue;
    switch (field.fieldKind) {
      case "list": {
        const list = target.get(field);
        if (replaceLists) list.clear();
        for (const item of patch.get(field)) list.add(item);
        break;
      }
      case "map": {
        const map = target.get(field);
        for (const [key, value] of patch.get(field)) map.set(key, value);
        break;
      }
      case "message": {
        const value = patch.get(field);
        if (!target.isSet(field) || field.message.typeName === "google.protobuf.Duration") {
          target.set(field, value);
          break;
        }
        const merged = target.get(field);
        mergeReflected(merged, value, replaceLists);
        // Wrappers and structs are handed out as copies.
        target.set(field, merged);
        break;
      }
      default:
        target.set(field, patch.get(field));
    }
  }
}
