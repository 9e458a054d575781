/**
 * template runs Go templates, as users of Istio write them to change what is injected, and lays what they make over a pod.
 * It knows the language of Go's text/template, the functions of sprig that manifests use, and those that Istio adds.
 * It decides nothing about injection: which templates run, and on what data, is its caller's business.
 */
export { GoStruct, structOf } from "./data.ts";
export { parseTemplate, runTemplate, type Functions, type Template } from "./evaluate.ts";
export { templateFunctions } from "./istio-functions.ts";
export { strategicMerge } from "./strategic-merge.ts";
