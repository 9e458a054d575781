import { expect, test } from "bun:test";
import { startTestServer } from "../testing.ts";
import { duplicateFields } from "./duplicate-fields.ts";

test.each([
  ['{"a":1,"b":{"a":2}}', []],
  ['{"a":1,"a":2}', ["a"]],
  ['{"spec":{"containers":[{"name":"x"},{"name":"y", "image":"i",\n"name":"z"}]}}', ["spec.containers[1].name"]],
  ['{"a":"\\"a\\":1,{[","b":["a","a",{}],"c\\u0061":1,"ca":2}', ["ca"]],
  ['{"a":"x\\\\","a":[[{"b":1,"b":1,"b":1}],2]}', ["a", "a[0][0].b"]],
  ["[]", []],
])("%s", (source, expected) => {
  expect(duplicateFields(source, JSON.parse(source))).toEqual(expected);
});

test("strict decoding refuses them, else they are warned of or ignored", async () => {
  const api = await startTestServer();
  try {
    const body = '{"metadata":{"name":"a","name":"a"},"data":{"k":"1","k":"2"},"more":1}';
    const path = "/api/v1/namespaces/default/configmaps";
    const strict = await api.call("POST", `${path}?fieldValidation=Strict`, { body });
    expect([strict.status, strict.body.message]).toEqual([
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "metadata.name", duplicate field "data.k", unknown field "more"',
    ]);
    expect((await api.call("POST", `${path}?dryRun=All`, { body })).headers.get("warning")).toContain('299 - "duplicate field \\"data.k\\""');
    expect((await api.call("POST", `${path}?fieldValidation=Ignore`, { body })).headers.get("warning")).toBeNull();
  } finally {
    await api.close();
  }
});
