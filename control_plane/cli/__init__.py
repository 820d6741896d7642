"""The command `figway`: a client of the admin API, and what starts the parts on one machine.

`main` is the entry; a module a group of commands: `routes`, `flips`, `compare`, `rollout`, `kill`,
`tables`, `keys` and so on. What they share: `context` (which control plane, which key), `client`
and `http` (the calls), `changing` (make a change, wait for the proxies, print the way back),
`output` (tables, JSON, YAML), `errors` (exit codes), `parsing` and `words` (how people write).

Three commands do more than call the API. `up`, `demo`, `proxy` and `control` start processes of
this machine (`processes`, `run`); `keys create --database` writes to the database of this host,
for the first key; `kill --local` writes the kill file of this host's proxies, for when nothing
else answers.
"""
