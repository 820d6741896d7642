"""The control plane: who may change which route, what was changed, and what the proxies say.

Read it from the table outwards.

`publishing` holds the table. Its `state` is the current one, in memory; its `service` is the one
way to a new one: read the newest revision, make the changes, validate, ask for a word where new
would serve more without proof, store with the audit entry in one transaction, tell the proxies.
Everybody who changes something hands it an `Edit` (`publishing.edit`): the API, the console, undo.
`kill` stands beside it: the switch is no revision, and holds whatever the table is like.

A folder a feature: `routes` (backends, capabilities, routes, flips), `revisions` (list, compare,
undo, redo), `tables` (a whole table as a file), `fleet` (what each proxy serves), `traffic`,
`decisions`, `comparisons` (evidence), `explain`, `audit`, `auth`. Within each, `api` is HTTP,
`schemas` what it takes and gives, `service` what it does, `store` its rows. `http` is what every
endpoint shares, `db` the schema and the transactions.

The `console` is pages over the same services, by session instead of by key. The `cli` is another
program: it only calls the admin API. `bootstrap` alone knows every part, `server` runs it under
uvicorn and `serverless` in Lambda.

Imports run one way, held by import-linter: bootstrap, then console, then the features' `api`, then
what edits, then `services`, then each feature's `service`, its `store`, `db` at the bottom. Nothing
here imports the proxy, and nothing here ever calls one: proxies pull the table and push reports.
"""
