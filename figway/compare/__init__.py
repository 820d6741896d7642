"""Compare two answers to one request: pure, bounded, and explained by path.

The modules, in the order that a pair flows through them:

    verdict        `compare()`: the way through all of the rest, and the verdict
    answer         what comes in: two `Answer`s and the `Context` around them
    limits         what one comparison may cost
    head           status, Content-Type, cookies, every other end-to-end field
                   (headers/, cookies, charsets)
    faults         answers that say "no" in the words of SOAP, GraphQL or JSON-RPC
    decode         content codings, media types, charsets: bytes to text
    bodies         two bodies to differences, the cheap ways first
    formats        which form fits a body
    trees          text or bytes to a tree of values, by a reader of canonical/, a module a format
    embedded       documents inside strings
    paths          where in a tree: JSONPath, exact and as a template
    walk           two trees to differences
    align          which element of one array belongs to which of the other (align_content)
    rules          what a person has written about places that may differ
    rule_covers    whether one rule covers one pair of values
                   (patterns, moments, name_style, references, tokens)
    differences    grouping, excerpts, the signature
    detect, propose
                   what a differing value looks like, and the rule to propose

One comparison says where two answers differ. Which of these differences legacy itself shows, and
what many comparisons prove, is the business of `figway.evidence`.

Nothing is imported here, so that `figway.compare.rules` costs a proxy no more than itself.
"""
