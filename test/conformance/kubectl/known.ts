/** Command lines of the session whose output is another at a real API server without controllers, with the reason. */
const REASONS: readonly [reason: string, lines: readonly string[]][] = [
  [
    "A warning says of a kind that nothing here acts on it.",
    ["k apply -f many.yaml", "k autoscale deployment web --min=2 --max=4 --name=auto", "kubectl create priorityclass high --value=1000 --description=first"],
  ],
  ["A quota's status stands with the first write; there a controller would write it.", ["k get quota,limitrange", "kubectl describe namespace shop"]],
  [
    "The refusal ends with a difference of Go structs there.",
    [`k patch pod one -p '{"spec":{"containers":[{"name":"main","command":["false"]}]}}' 2>&1 | head -2`],
  ],
  ["Ours calls itself 1.33, from which 1.35 is two away.", ["kubectl version -o json | grep -c gitVersion"]],
];

export const KNOWN: ReadonlyMap<string, string> = new Map(REASONS.flatMap(([reason, lines]) => lines.map((line): [string, string] => [line, reason])));
