import { useEffect, useRef, useState } from "react";
import type { SchemaNode } from "../../api/schema-routes.ts";
import { type Cursor, cursorAt } from "./yaml-path.ts";

/** What a field's buttons and list say of its type. */
function typeText(node: SchemaNode): string {
  if (node.enum) return node.enum.join(" | ");
  return node.items ? `list of ${node.items.properties ? "objects" : node.items.type}` : node.type;
}

/** A manifest to type in; beside it the fields that may stand where the cursor is, with what each is for. */
export function Editor({ text, onChange, schema, label }: { text: string; onChange(text: string): void; schema: SchemaNode | undefined; label: string }) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [cursor, setCursor] = useState<Cursor>({ path: [], present: new Set(), indent: 0, typed: "" });
  const follow = (): void => {
    if (area.current) setCursor(cursorAt(area.current.value, area.current.selectionStart));
  };
  useEffect(follow, [text]);
  const node = schema && nodeAt(schema, cursor.path);
  const fields = Object.entries(node?.properties ?? {}).filter(
    ([name]) => !cursor.present.has(name) && name.toLowerCase().startsWith(cursor.typed.toLowerCase()),
  );
  const insert = (name: string, field: SchemaNode) => {
    const box = area.current;
    if (!box) return;
    const pad = " ".repeat(cursor.indent + 2);
    const value = field.properties ? `\n${pad}` : field.items ? `\n${" ".repeat(cursor.indent)}- ` : field.enum?.[0] !== undefined ? ` ${field.enum[0]}` : " ";
    box.focus();
    box.setSelectionRange(box.selectionStart - cursor.typed.length, box.selectionStart);
    // As if it were typed: the browser's own undo takes it back.
    document.execCommand("insertText", false, `${name}:${value}`);
  };
  const lines = text.split("\n").length;
  return (
    <div className="editor">
      <textarea
        ref={area}
        className="editor-text"
        aria-label={label}
        value={text}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        rows={Math.min(36, Math.max(14, lines + 2))}
        onChange={(event) => onChange(event.target.value)}
        onSelect={follow}
        onKeyUp={follow}
        onClick={follow}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey) return;
          // The next line begins where this one does.
          const start = text.lastIndexOf("\n", event.currentTarget.selectionStart - 1) + 1;
          const [indent = ""] = /^ */.exec(text.slice(start)) ?? [];
          if (indent === "") return;
          event.preventDefault();
          document.execCommand("insertText", false, `\n${indent}`);
        }}
      />
      <aside className="editor-help" aria-label="Fields that may stand here">
        <h3>{cursor.path.length === 0 ? "The object" : cursor.path.join(" › ")}</h3>
        {node?.description && <p className="muted">{node.description}</p>}
        {schema === undefined ? (
          <p className="muted">No schema is known.</p>
        ) : !node?.properties ? (
          <p className="muted">{node ? `A ${typeText(node)} stands here.` : "This place is not in the schema."}</p>
        ) : fields.length === 0 ? (
          <p className="muted">All its fields are there.</p>
        ) : (
          <ul className="plain">
            {fields.map(([name, field]) => (
              <li key={name}>
                <button type="button" className="editor-field" onClick={() => insert(name, field)}>
                  <code>{name}</code> <small>{typeText(field)}</small>
                </button>
                {field.description && <div className="muted">{field.description}</div>}
              </li>
            ))}
          </ul>
        )}
      </aside>
    </div>
  );
}

function nodeAt(schema: SchemaNode, path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const key of path) {
    node = node?.properties?.[key] ?? node?.additional;
    if (node?.items) node = node.items;
  }
  return node;
}
