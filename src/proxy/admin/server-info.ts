import type { ProxyServer } from "../bootstrap/index.ts";
import { buildVersion, versionLine } from "./version.ts";

/** /server_info: envoy.admin.v3.ServerInfo. Zero values are printed, as Envoy does. */
export function serverInfo(server: ProxyServer): object {
  const { deps, startedAt, state } = server;
  const { node } = deps.bootstrap;
  const uptime = `${Math.floor((deps.clock.now() - startedAt) / 1000)}s`;
  return {
    version: versionLine(),
    state,
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    hot_restart_version: "disabled",
    command_line_options: {
      base_id: "0",
      concurrency: deps.concurrency,
      config_path: "",
      config_yaml: "",
      local_address_ip_version: "v4",
      log_level: "warning",
      service_cluster: "",
      service_node: "",
      service_zone: "",
      drain_time: `${deps.drainTimeMs / 1000}s`,
      mode: "Serve",
      disable_hot_restart: true,
      restart_epoch: 0,
      drain_strategy: "Immediate",
    },
    node: {
      id: node.id,
      cluster: node.cluster,
      metadata: node.metadata,
      dynamic_parameters: {},
      locality: { region: node.locality?.region ?? "", zone: node.locality?.zone ?? "", sub_zone: node.locality?.subZone ?? "" },
      user_agent_name: "chainmail",
      user_agent_build_version: buildVersion(),
      extensions: [],
      client_features: [],
      listening_addresses: [],
    },
    hot_restart_initializing: false,
  };
}
