// Runs a whole runbook, step by step, in AWS's simulator of SSM Automation: types, payloads and outputs as SSM has them.
//
// node simulate.mjs INPUTS < DOCUMENT
//
// As runbook.py, but prints the document's outputs. Its packages are under target/; python3 must be one with boto3.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../target/simulate/", import.meta.url));
const { Stack } = require("aws-cdk-lib");
const { ResponseCode, Simulation, StringDocument } = require("@cdklabs/cdk-ssm-documents");

// The simulator logs to it, also from its worker threads.
const print = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const json = readFileSync(0, "utf8");
const document = StringDocument.fromJson(new Stack(), "Document", json);
const { responseCode, stackTrace, outputs } = Simulation.ofAutomation(document, {}).simulate(JSON.parse(process.argv[2]));
if (responseCode !== ResponseCode.SUCCESS) {
  throw new Error(`${ResponseCode[responseCode]}: ${stackTrace}`);
}
// The simulator passes over what the document itself puts out.
const missing = JSON.parse(json).outputs.filter((name) => !(name in outputs));
if (missing.length > 0) {
  throw new Error(`no such outputs of a step: ${missing}`);
}
print(JSON.stringify(outputs));
