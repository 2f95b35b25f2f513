// What CloudConvert's own Node.js client finds in the sandbox; told as one line of JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const given = JSON.parse(readFileSync(0, "utf8"));
const CloudConvert = createRequire(`${given.root}/`)("cloudconvert");
const told = {};

// The client has its hosts built in: its calls are led here as a proxy would lead them.
const hosts = {
  "https://api.cloudconvert.com": given.cloudconvert,
  "https://sync.api.cloudconvert.com": given.cloudconvert_sync,
};
const send = globalThis.fetch;
globalThis.fetch = (url, options) => {
  const { origin, href } = new URL(url);
  return send(hosts[origin] ? href.replace(origin, hosts[origin]) : href, options);
};

const client = new CloudConvert(given.cloudconvert_key);
told.user = (await client.users.me()).id;

const job = await client.jobs.create({
  tag: "node",
  tasks: {
    in: { operation: "import/upload" },
    out: { operation: "convert", input: "in", output_format: "pdf" },
    export: { operation: "export/url", input: ["in", "out"] },
  },
});
const upload = job.tasks.find((task) => task.name === "in");
await client.tasks.upload(upload, Buffer.from("one\ftwo"), "my letter.txt");
const over = await client.jobs.wait(job.id);
told.job = [over.status, over.tag];
const files = client.jobs.getExportUrls(over);
told.files = files.map((file) => file.filename);
told.sizes = [];
for (const file of files) {
  const body = await (await fetch(file.url)).arrayBuffer();
  told.sizes.push(body.byteLength === file.size);
}

const found = await client.jobs.all({ "filter[tag]": "node" });
told.found = found.length === 1 && found[0].id === job.id;
const task = await client.tasks.create("import/raw", { file: "x", filename: "a.txt" });
told.task = (await client.tasks.wait(task.id)).result.files[0].filename;
told.included = (await client.tasks.get(task.id, { include: "payload" })).payload.operation;
const waiting = await client.tasks.create("import/upload");
told.cancelled = (await client.tasks.cancel(waiting.id)).code;
await client.tasks.delete(task.id);
await client.jobs.delete(job.id);
try {
  await client.jobs.get(job.id);
} catch (error) {
  told.missing = [error.message, (await error.cause.json()).code];
}
told.verified = client.webhooks.verify(given.body, given.signature, given.secret);

console.log(JSON.stringify(told));
