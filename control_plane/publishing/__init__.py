"""From a change to every proxy: validate, store as a revision, tell the streams.

edit        an edit as a value: who, why, on which condition, whom to wait for
exposure    more exposure without proof asks; less never does
service     the one way a table changes: check, validate, store, publish
check, compiled, state
            the table held to its rules; compiled, for explaining; as it is now, in memory
store, history, describe, changed
            revisions in the database; the table as it was; what a revision did
hub, follow, api
            events for any number of streams; other control planes; what proxies follow
"""
