// What Laserfiche's own client finds in a repository; told as one line of JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const given = JSON.parse(readFileSync(0, "utf8"));
const entry = `${given.root}/@laserfiche/lf-repository-api-client-v2/dist/index.js`;
const { RepositoryApiClient, ExportEntryRequest, StartExportEntryRequest } = await import(
  pathToFileURL(entry)
);
const core = await import(
  pathToFileURL(createRequire(entry).resolve("@laserfiche/lf-api-client-core"))
);
const repositoryId = given.laserfiche_repository;
const told = {};

async function finished(client, taskId) {
  for (;;) {
    const { value } = await client.tasksClient.listTasks({ repositoryId, taskIds: [taskId] });
    if (!["NotStarted", "InProgress"].includes(value[0].status)) return value[0];
  }
}

async function listed(client) {
  const pages = [];
  const callback = async (page) => pages.push(page.value.map((one) => one.name));
  const entryId = 2;
  await client.entriesClient.listEntriesForEach({ callback, repositoryId, entryId, maxPageSize: 3 });
  return pages;
}

const client = RepositoryApiClient.createFromUsernamePassword(
  repositoryId, given.laserfiche_username, given.laserfiche_password, given.laserfiche,
);
told.repositories = (await client.repositoriesClient.listRepositories({})).value.map((one) => one.id);
const document = await client.entriesClient.getEntry({ repositoryId, entryId: 12 });
told.document = [document.constructor.name, document.name, document.pageCount];
told.pages = await listed(client);
told.reasons = (await client.auditReasonsClient.listAuditReasons({ repositoryId })).value.length;

const options = {
  part: "Image",
  auditReasonId: 1,
  imageOptions: { format: "PDF", jPEGCompressionLevel: 50, watermark: { text: "Copy" } },
};
const exported = await client.entriesClient.exportEntry({
  repositoryId, entryId: 12, request: ExportEntryRequest.fromJS(options), pageRange: "1-2",
});
const file = await fetch(exported.value);
told.exported = [file.status, file.headers.get("content-type")];

const started = await client.entriesClient.startExportEntry({
  repositoryId, entryId: 12, request: StartExportEntryRequest.fromJS({ part: "Edoc" }),
});
const task = await finished(client, started.taskId);
const made = await fetch(task.result.uri);
told.task = [task.taskType, task.status, (await made.arrayBuffer()).byteLength];

const search = await client.searchesClient.startSearchEntry({
  repositoryId, request: { searchCommand: '{LF:Name="Con*", Type="D"}' },
});
await finished(client, search.taskId);
const results = await client.searchesClient.listSearchResults({
  repositoryId, taskId: search.taskId,
});
told.found = results.value.map((one) => one.name);
const ended = await client.tasksClient.cancelTasks({ repositoryId, taskIds: [search.taskId] });
told.closed = ended.value[0].result;

try {
  await client.entriesClient.getEntry({ repositoryId, entryId: 999999 });
} catch (error) {
  told.missing = [error.status, error.message, Boolean(error.problemDetails.operationId)];
}

await fetch(`${given.laserfiche_control}/expire`, { method: "POST", body: '["tokens"]' });
told.renewed = (await listed(client)).length;

async function cloudToken() {
  const credential = core.createClientCredentials(
    "a service principal key", given.laserfiche_access_key,
  );
  const answer = await fetch(given.laserfiche_token_url, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${credential}`,
      "Content-Type": "application/x-www-form-urlencoded",
    },
    body: "grant_type=client_credentials&scope=repository.Read",
  });
  return answer.json();
}
const inCloud = RepositoryApiClient.createFromGetAccessTokenFunc(cloudToken, given.laserfiche);
told.cloud = await listed(inCloud);

console.log(JSON.stringify(told));
