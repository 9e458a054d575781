/**
 * Where our answers differ from the real server's, by `script: step`, with the reason. Everything else must be the same.
 */
const REASONS: readonly [reason: string, steps: readonly string[]][] = [
  [
    "An answer is always a Status in JSON, also to a client that asked for YAML or for protobuf only, and forms that do not fit are served as what they are nearest to: no client asks so, and everyone can read it.",
    [
      "get and list: metadata of a list in the form of one",
      "get and list: a list's metadata of one",
      "get and list: unknown media types",
      "get and list: YAML",
      "get and list: any application",
      "custom resources: in protobuf only",
      "watch of other things: that asks for text",
    ],
  ],
  ["Asked in the process here, not over HTTP, where a HEAD or TRACE has no body.", ["get and list: head of one", "get and list: connect"]],
  [
    "The words of our own parsers of base64, YAML and Go's asn1.",
    ["get and list: a bad page", "server-side apply: is broken", "custom resources: has a text for a spec"],
  ],
  ["A field that is given as empty is shown as given; Go leaves it out.", ["validation rules: definition", "rbac: review with a name"]],
  [
    "JSON with a field twice: the last object wins here, Go merges the two. Strict validation, which kubectl asks for, refuses both.",
    ["field validation: Warn: duplicate field", "field validation: Ignore: duplicate field"],
  ],
  ["Says clearly what the real server only stumbles over.", ["update: with another kind by a patch", "access: as a group only"]],
  [
    "The refusal is the same; the real one ends with a difference of Go structs.",
    [
      "strategic merges: of a pod's command",
      "pods: ephemeral container that changes",
      "pods: a node changes",
      "pods: resources by the pod",
      "nodes: bad taint",
    ],
  ],
  ["A VolumeAttributesClass has no finalizer: nothing here uses one, and nothing would take it away.", ["defaults: attributes class"]],
  [
    "A path that does not exist is told so by the outermost of the real servers in turn, in JSON or as text; here always as text.",
    ["discovery: an unknown version"],
  ],
  [
    "managedFields: written in the stored version when an object comes in by another one, and the real server's empty structs of Services and raw objects are not all known.",
    [
      "apply of workloads: an autoscaler's older version",
      "events and leases: event of the newer kind",
      "events and leases: newer event as an older one",
      "events and leases: by regarding",
      "events and leases: lease as a table",
      "services: headless",
      "services: headless without ports",
      "services: back to a cluster address",
      "services: to an external name",
      "services: as a table",
      "services: delete",
      "services: the api server's own",
      "defaults: controller revision",
    ],
  ],
  [
    "managedFields: the real server enters what a manager owns of the metadata with a custom resource's status and renews a scale's time.",
    [
      "custom resources: status",
      "custom resources: status alone",
      "custom resources: after the scale",
      "apply of workloads: ignores the status",
      "apply of workloads: ints and strings",
      "apply of workloads: resources in another form",
    ],
  ],
  [
    "Events of events.k8s.io are held to the rules of core/v1's, which are fewer: our own controllers and kubectl write those.",
    ["events and leases: event of the newer kind without what it needs", "events and leases: event of the newer kind of an unknown type"],
  ],
  ["The real server wants a Lease's times with six digits after the point and refuses others; here RFC 3339 is enough.", ["events and leases: lease renewed"]],
  [
    "Descriptions of table columns are our own words; cells of a bookmark's row are null.",
    ["events and leases: as a table", "watch: with initial events as a table"],
  ],
  [
    "Definitions are served from the answer to their creation on: their conditions and names stand in it, and scope and kind are settled at once.",
    [
      "custom resources: definition as a table",
      "definitions: is taken",
      "definitions: changes its scope",
      "definitions: changes its kind",
      "definitions: changes its group",
      "defaults: definition",
    ],
  ],
  [
    "A custom resource without a kind gets that of its path, as a built-in one does; it is then in the lists that follow.",
    ["custom resources: has no kind", "custom resources: list", "custom resources: table"],
  ],
  ["The rules of several roles come in the order of their names here, of a Go map there.", ["rbac: own rules", "rbac: own rules of an administrator"]],
  ["A token dies with its pod at once, not a minute later; keys are ES256 and not RS256.", ["tokens: review after the pod", "tokens: issuer"]],
  [
    "Evictions count the ready pods themselves: a budget's status, which the real server goes by, is kept by nobody.",
    ["pods: evict what a budget guards", "pods: evict with a dry run", "pods: evict what a budget allows", "pods: the budget after"],
  ],
  ["A resize is accepted without a look at its quality of service.", ["pods: resize"]],
  ["The end of a pod is one event; the real server writes a zero grace period first.", ["watch of other things: of a pod's deletion"]],
  [
    "Nodes are ready as soon as they are there: no controller would take the taint away.",
    ["nodes: node", "nodes: status", "nodes: cordon", "defaults: node", "defaults: local volume"],
  ],
  [
    "Restart policies of containers are refused: nothing here carries them out.",
    ["invalid pods: init container of an unknown restart policy", "invalid pods: container with a restart policy"],
  ],
  ["What a CertificateSigningRequest asks for is not read: nothing signs it.", ["defaults: signing request"]],
  [
    "The order of a Go map, or the moment at which defaults are filled in.",
    [
      "invalid objects: config map: dots",
      "invalid pods: bad node selector",
      "invalid objects: slice: port beyond",
      "invalid objects: job: selector of its own",
    ],
  ],
];

export const KNOWN_DIFFERENCES: ReadonlyMap<string, string> = new Map(
  REASONS.flatMap(([reason, steps]) => steps.map((step): [string, string] => [step, reason])),
);

/** Of these, what the real server answers as we do now and then: it depends on its map orders, or on how soon a definition is established. */
export const BY_CHANCE: ReadonlySet<string> = new Set([
  "definitions: changes its scope",
  "definitions: changes its kind",
  "definitions: changes its group",
  "rbac: own rules",
  "rbac: own rules of an administrator",
  "invalid objects: config map: dots",
  "invalid pods: bad node selector",
]);
