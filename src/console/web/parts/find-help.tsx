import { ABBREVIATIONS, FLAGS, NUMBERS, type Operand, TEXTS } from "../graph/operands.ts";
import { Menu } from "./controls.tsx";

/** What Find and Hide understand, from the table that they read expressions by. */
export function FindHelp() {
  return (
    <Menu
      label={
        <span title="What Find and Hide understand" aria-label="Expressions">
          ?
        </span>
      }
    >
      <div className="find-help">
        <p>
          Join conditions by <code>and</code> and <code>or</code>; <code>and</code> binds tighter. A bare word is a part of a name.
        </p>
        <Rows title="So or not: mtls, !mtls" table={FLAGS} />
        <Rows
          title="Texts: = != contains startswith endswith, with ! for not"
          table={TEXTS}
          more={[["label:NAME", "a Kubernetes label; alone: whether it is there", "nodes"]]}
        />
        <Rows title="Numbers: = != > >= < <=, and = NaN for no activity" table={NUMBERS} />
        <h3>Short for</h3>
        <p>
          {Object.entries(ABBREVIATIONS)
            .map(([short, name]) => `${short} ${name}`)
            .join(", ")}
        </p>
      </div>
    </Menu>
  );
}

function Rows({ title, table, more = [] }: { title: string; table: Record<string, Operand<unknown>>; more?: [string, string, string][] }) {
  const rows = [...Object.entries(table).map(([name, { says, node, edge }]) => [name, says, node && edge ? "both" : node ? "nodes" : "edges"]), ...more];
  return (
    <>
      <h3>{title}</h3>
      <table>
        <tbody>
          {rows.map(([name, says, about]) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td>{says}</td>
              <td>{about}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
