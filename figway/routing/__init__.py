"""From a table to a decision: compile once, then match, split and decide each request.

compile     a table made ready to serve: the matcher, and a plan for each route
match       which route takes a request, and why the others do not
pattern, overlap
            path templates, and how the matches of two routes relate
operations  which operations inside one path a route takes
decide      which side serves, and why
split       the stable split: a key falls into one of 10 000 buckets
shadow      whether a served request is copied to the other side
policy      route policies, compiled
spelling, readings
            other spellings of a path, and what programs read from its bytes
"""
