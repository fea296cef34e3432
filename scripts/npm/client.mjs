// Drives the TypeScript SDK's client through /mcp and prints what it saw as
// one JSON object: client.mjs URL TOKEN TOOL ARGS [--approve|--decline].
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.CHITIN_NPM_MODULES, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { ElicitRequestSchema, ResourceUpdatedNotificationSchema } = await load("@modelcontextprotocol/sdk/types.js");

const [url, token, tool, args, mode] = process.argv.slice(2);
const seen = { progress: 0, asked: [], updated: 0 };
const capabilities = mode ? { elicitation: {} } : {};
const client = new Client({ name: "npm-client", version: "1" }, { capabilities });
if (mode) {
  client.setRequestHandler(ElicitRequestSchema, async (req) => {
    seen.asked.push(req.params.message);
    return mode === "--approve" ? { action: "accept", content: {} } : { action: "decline" };
  });
}
client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => { seen.updated++; });
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
await client.connect(transport);
seen.server = client.getServerVersion().name;
seen.tools = (await client.listTools()).tools.map((t) => t.name);
seen.resources = (await client.listResources()).resources.map((r) => r.uri);
await client.subscribeResource({ uri: "chitin://journal/recent" });
try {
  seen.result = await client.callTool({ name: tool, arguments: JSON.parse(args) }, undefined, {
    onprogress: () => { seen.progress++; }, timeout: 120000,
  });
} catch (err) {
  seen.error = String(err.message);
}
for (let i = 0; i < 40 && seen.updated === 0; i++) await new Promise((r) => setTimeout(r, 100));
seen.journal = (await client.readResource({ uri: "chitin://journal/last/1000" })).contents[0].text;
await transport.terminateSession();
await client.close();
console.log(JSON.stringify(seen));
