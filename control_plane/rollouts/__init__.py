"""Rollouts: plans, where they stand, the ticker that moves them, and what people tell them.

The machine itself, its gates and its guards are `figway.rollout`, which is pure. Here is what it is
fed with, and what is done of what it says:

    plans, store    plans, checked and kept; where each rollout stands
    ticker          looks at every rollout again and again; one control plane does, by a lease
    observing, evidence
                    one look at the installation: what a rollout decides on
    moving          what a step came to, made to happen through the one write path
    telling         the same, kept, shown and told to others
    service, api, schemas
                    what people start, pause, resume and abort
    reading, simulating, metrics
                    what they are shown; a plan played against the last days
    ports           what rollouts need of others
"""
