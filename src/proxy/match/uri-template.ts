import type { TypedExtensionConfig } from "../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { UriTemplateMatchConfigSchema } from "../../proto/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { compileRegex } from "../../base/regex/index.ts";
import { InvalidResource } from "../types.ts";

/** Envoy's URI templates over a path without its query. Throws InvalidResource. */
export function compileUriTemplate(config: TypedExtensionConfig): (path: string) => boolean {
  const template = unpackAny(UriTemplateMatchConfigSchema, config.typedConfig)?.pathTemplate;
  if (template === undefined) throw new InvalidResource("UNSUPPORTED_MATCHER", `Didn't find a registered implementation for name: '${config.name}'`);
  return compileRegex(templateExpression(template), "re2").fits;
}

/** `*` and `{name}` stand for one segment, `**` for any number; `{name=pattern}` names what its pattern matches. */
export function templateExpression(template: string): string {
  if (!template.startsWith("/")) throw invalid(template);
  const parts = template.match(/\{[^{}]*\}|\*\*|\*|[^*{}]+/g) ?? [];
  if (parts.join("") !== template) throw invalid(template);
  const compile = (part: string): string => {
    if (part === "**") return `[${CHARACTERS}/]*`;
    if (part === "*") return `[${CHARACTERS}]+`;
    const variable = /^\{(\w+)(?:=(.+))?\}$/.exec(part);
    if (variable) return variable[2] === undefined ? `[${CHARACTERS}]+` : (variable[2].match(/\*\*|\*|[^*]+/g) ?? []).map(compile).join("");
    if (part.startsWith("{")) throw invalid(template);
    return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  };
  return parts.map(compile).join("");
}

/** What a segment is written with (RFC 3986, 3.3), without what Envoy leaves out. */
const CHARACTERS = "a-zA-Z0-9\\-._~%!$&'()+,;:@";

function invalid(template: string): InvalidResource {
  return new InvalidResource("INVALID_TEMPLATE", `path_match_policy.path_template ${template} is invalid`);
}
