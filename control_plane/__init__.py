"""The control plane: who may change which route, what was changed, and what the proxies say.

`publishing` holds the table. Its `state` is the current one, in memory; its `service` is the one
way to a new one: read the newest revision, make the changes, validate, ask back where new would
serve more without proof, store with the audit entry in one transaction, tell the proxies. A
person's change comes as an `Edit` (`publishing.edit`), from the API, the console and undo; a
rollout's comes from `rollouts.moving` and passes the same service. `kill` stands beside it: the
switch is no revision, and holds whatever the table is like.

One folder for each thing that people work with: `routes` (backends, capabilities, routes, flips),
`revisions` (list, compare, undo, redo), `tables` (a whole table as a file), `rollouts`,
`approvals`, `webhooks`, `fleet` (what each proxy serves), `traffic`, `decisions`, `comparisons`
(evidence), `explain`, `installation`, `audit`, `auth`. Within each, where there is one, `api` is
HTTP, `schemas` what it takes and gives, `service` what it does, `store` its rows. `http` is what
every endpoint shares (only the table that proxies pull is answered with 304, in `publishing.api`),
`db` the schema and the transactions.

The `console` is pages over the same services, by session instead of by key. The `cli` is another
program: it calls the admin API, and starts the parts on one machine (`cli/__init__` says where it
does more). `bootstrap` alone knows every part, `server` runs it under uvicorn and `serverless` in
Lambda.

Imports run one way, held by import-linter: bootstrap, then console, then each folder's `api`, then
`publishing.edit`, then `services`, then each folder's `service`, its `store`, `db` at the bottom.
Nothing here imports the proxy, and nothing here ever calls one: proxies pull the table and push
reports.
"""
