// Searchkit's API at work, as a server has it behind InstantSearch: packages, address, index and requests in, what it
// answers and what the replies said of reranking out, as JSON.
import { createRequire } from "node:module";

const [packages, host, index, requests] = process.argv.slice(2);
const { default: createClient } = createRequire(`${packages}/package.json`)("@searchkit/api");

const outcomes = [];
const send = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const reply = await send(...request);
  outcomes.push(reply.headers.get("x-rerank"));
  return reply;
};

const client = createClient({
  connection: { host },
  search_settings: {
    search_attributes: ["text"],
    result_attributes: ["text", "number"],
    highlight_attributes: ["text"],
    facet_attributes: [{ attribute: "subject", field: "subject", type: "string" }],
  },
});
const answer = await client.handleRequest(JSON.parse(requests).map((params) => ({ indexName: index, params })));
console.log(JSON.stringify({ results: answer.results, outcomes }));
