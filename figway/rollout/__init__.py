"""Rollouts: a plan moves a route, or a capability, from legacy to new as its evidence allows.

`plan` is what a person writes, `parsing` reads it, `lint` holds it against a table. `observation`
is what one look at the installation saw. `gates` and `guards` judge a look, `hours` says when moves
are allowed, and `machine` decides: `step(plan, state, event, observation)` gives the next state,
the move to make, and the reasons. Nothing here reads a clock or does I/O.
"""
