"""What many comparisons say: which differences are noise, and whether two sides agree.

A pair that differs proves little: legacy may differ from itself as much. So a difference is asked
again (a second look), what legacy varies in is learned as a form, and a share of agreement is
claimed by a bound that holds however often somebody looks. The modules, in the order of the flow:

    comparing       from the policy of a route to what compares and redacts
    occurrences     a comparison as single differences
    may_ask_legacy  whether a user's read may be sent to legacy once more
    recent          repeats that users make anyway, which cost no read
    noise/          what is known of one window, and what it says of a difference: the place where
                    a mismatch becomes noise
    window          counts of one route and one build of new, by what differed
    requests        how many different requests those were, and of which shapes
    field_state     what the marks on one field come to, by the rules, words and forms of now
    judgement       match and mismatch, and what a window proves; nothing else says either
    sequential      the bounds of a share
    common          what the requests that differ have in common
    failures_and_latency, histogram
                    both sides beside each other

All of it is pure: what is asked again, and when, is decided in `proxy.shadow.second_looks`. Counts
merge: whichever worker counted, and in whichever order, the judgement is the same. docs/concepts/
agreement.md says the same for people.
"""
