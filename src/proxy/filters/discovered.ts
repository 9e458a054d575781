import type { Any } from "@bufbuild/protobuf/wkt";
import type { ExtensionConfigSource } from "../../proto/gen/envoy/config/core/v3/config_source_pb.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterConfig, HttpFilterContext } from "./http-filter.ts";

/** Makes the filter of a configuration; undefined where it is optional and unknown. Throws InvalidResource. */
export type CreateFilter = (config: Any) => HttpFilterConfig | undefined;

/** A filter whose configuration is discovered by the filter's name (ECDS), and may change while requests run. */
export class DiscoveredFilter implements HttpFilterConfig {
  #current: HttpFilterConfig | undefined;
  #known = false;
  readonly #leave: () => void;

  /** `onChange`: what was planned with the configuration of before is void. Throws InvalidResource. */
  constructor(source: ExtensionConfigSource, context: HttpFilterContext, create: CreateFilter, onChange: () => void) {
    const { extensions } = context.services;
    const expected = source.typeUrls.map((url) => url.slice(url.lastIndexOf("/") + 1));
    const make = (config: Any): HttpFilterConfig | undefined => {
      const type = config.typeUrl.slice(config.typeUrl.lastIndexOf("/") + 1);
      if (!expected.includes(type))
        throw new InvalidResource("INVALID_EXTENSION", `Error: filter config has type URL ${type} but expect ${expected.join(", ")}.`);
      return create(config);
    };
    const first = extensions.get(context.name) ?? source.defaultConfig;
    if (first) this.#take(make(first));
    this.#leave = extensions.use(context.name, {
      prepare: (config) => {
        const made = make(config);
        return () => {
          this.#current?.dispose?.();
          this.#take(made);
          onChange();
        };
      },
    });
  }

  forRoute(route: Parameters<HttpFilterConfig["forRoute"]>[0]): HttpFilter | undefined {
    return this.#known ? this.#current?.forRoute(route) : MISSING;
  }

  dispose(): void {
    this.#leave();
    this.#current?.dispose?.();
  }

  #take(made: HttpFilterConfig | undefined): void {
    this.#current = made;
    this.#known = true;
  }
}

/** Nobody knows what the filter would have done: nothing passes. */
const MISSING: HttpFilter = {
  onRequest(stream) {
    stream.localReply({ status: 500, body: "", details: "", flag: "NFCF" });
    return "stop";
  },
};
