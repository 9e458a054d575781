import type * as WasmTypes from "../../proto/gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import type * as PluginTypes from "../../proto/gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilterFactory } from "./http-filter.ts";

/**
 * `envoy.filters.http.wasm`: there is no Wasm runtime here. A plug-in that may fail open is left out, as Istio's agent does
 * with one that it cannot load; any other is refused, so that nothing passes unfiltered.
 */
export const wasmFilter: HttpFilterFactory = {
  typeNames: ["envoy.extensions.filters.http.wasm.v3.Wasm"],
  routeTypeNames: [],
  create(typed, { name, services }) {
    // Rare, and refused more often than not: its types are loaded when it comes.
    const { WasmSchema } = require("../../proto/gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts") as typeof WasmTypes;
    const { FailurePolicy } = require("../../proto/gen/envoy/extensions/wasm/v3/wasm_pb.ts") as typeof PluginTypes;
    const { config } = typed.read(WasmSchema);
    if (!config?.failOpen && config?.failurePolicy !== FailurePolicy.FAIL_OPEN) {
      throw new InvalidResource(
        "UNSUPPORTED_WASM",
        `http filter ${name}: Wasm is not supported by this proxy, and the plug-in must not be left out (failStrategy is not FAIL_OPEN)`,
      );
    }
    services.log.warn("a Wasm plug-in is left out: Wasm is not supported by this proxy, and the plug-in fails open", { filter: name });
    return { forRoute: () => undefined };
  },
};
