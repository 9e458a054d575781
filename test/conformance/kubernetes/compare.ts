/** Says where two answers differ, in lines that a person can read. */
import type { Answer } from "./types.ts";

export function differences(theirs: Answer, ours: Answer): string[] {
  // Answers of another status have nothing else in common that would be worth a line.
  if (theirs.status !== ours.status) return [`theirs: ${summary(theirs)}`, `ours:   ${summary(ours)}`];
  const lines: string[] = [];
  compare(theirs, ours, "", lines);
  return lines;
}

function compare(theirs: unknown, ours: unknown, path: string, lines: string[]): void {
  if (isRecord(theirs) && isRecord(ours)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) compare(theirs[key], ours[key], `${path}.${key}`, lines);
    return;
  }
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    for (let index = 0; index < Math.max(theirs.length, ours.length); index++) compare(theirs[index], ours[index], `${path}[${index}]`, lines);
    return;
  }
  if (theirs !== ours && JSON.stringify(theirs) !== JSON.stringify(ours))
    lines.push(`${path}\n      theirs: ${JSON.stringify(theirs)}\n      ours:   ${JSON.stringify(ours)}`);
}

function summary({ status, body }: Answer): string {
  const text = isRecord(body) && typeof body.message === "string" ? body.message : JSON.stringify(body);
  return `${status} ${(text ?? "").slice(0, 500)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
