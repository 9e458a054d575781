import { StatScope } from "../telemetry/stat-scope.ts";

/** What HTTP/2 connections count, as Envoy calls it: all from clients together, and those to the hosts of each cluster. */
export class Http2Stats extends StatScope {
  goaway_sent = 0;
  inbound_empty_frames_flood = 0;
  inbound_priority_frames_flood = 0;
  inbound_window_update_frames_flood = 0;
  outbound_control_flood = 0;
  outbound_flood = 0;
  rx_reset = 0;
  tx_reset = 0;
}
