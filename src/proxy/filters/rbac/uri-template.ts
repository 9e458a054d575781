import type { TypedExtensionConfig } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { UriTemplateMatchConfigSchema } from "../../../proto/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts";
import { unpackAny } from "../../../proto/index.ts";
import { InvalidResource } from "../../types.ts";

/** Envoy's URI templates, as Istio uses them in paths: `{*}` is one segment, `{**}` any number, `{name}` one segment. */
export function compileUriTemplate(config: TypedExtensionConfig): (path: string) => boolean {
  const template = unpackAny(UriTemplateMatchConfigSchema, config.typedConfig)?.pathTemplate;
  if (template === undefined) throw new InvalidResource("UNSUPPORTED_MATCHER", `Didn't find a registered implementation for name: '${config.name}'`);
  const pattern = template
    .split(/(\{[^}]*\})/)
    .map((part) => {
      if (!part.startsWith("{")) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      const inner = part.slice(1, -1);
      return inner === "**" || inner.endsWith("=**") ? ".*" : "[^/]+";
    })
    .join("");
  const expression = new RegExp(`^${pattern}$`);
  return (path) => expression.test(path);
}
