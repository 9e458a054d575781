/** Makes what two istioctls print comparable: what differs by run, by build or by author becomes the same or nothing. */

/** Lines of the real one's logger, which stand among its output. */
const LOG_LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z\t\w+\t/;

export function comparable(text: string, program: string): string {
  const lines = text
    .replaceAll(program, "istioctl")
    .split("\n")
    .filter((line) => !LOG_LINE.test(line) && !line.startsWith("Try:   "));
  return (
    helpSkeleton(lines.join("\n"))
      // Each question to istiod has an answer of its own.
      .replace(/("?nonce"?: "?)[^\s",]+/g, "$1<nonce>")
      // Go's maps have no order.
      .replace(/(?<=multiple gateways \[)[^\]]*/g, (names) => names.split(" ").sort().join(" "))
      // Go's protobuf text has one or two spaces between fields, by the hash of the program.
      .replace(/(?<=[\w"}]) {2}(?=[a-z_]+:[{"\d])/g, " ")
  );
}

/** Of help only how a command is called: the words that explain it are each program's own. */
function helpSkeleton(text: string): string {
  const start = text.search(/^Usage:$/m);
  if (start < 0) return text;
  const sections = text.slice(start).split(/\n\n+/);
  const kept = sections
    .filter((section) => /^(Usage|Aliases):/.test(section))
    .map((section) =>
      section
        .split("\n")
        .filter((line) => !line.endsWith("[flags]") || !section.includes("[command]"))
        .join("\n"),
    );
  const error =
    sections
      .at(-1)
      ?.split("\n")
      .filter((line) => line.startsWith("Error: ")) ?? [];
  return [...kept, ...error, ""].join("\n\n");
}
