"""Compare two answers to one request: pure, bounded, and explained by path.

The modules, in the order that a pair flows through them:

    answer          what comes in: two `Answer`s and the `Context` around them
    limits          what one comparison may cost
    decode          content codings, media types, charsets: bytes to text
    canonical_json  text to a tree of values ...
    canonical_form, canonical_xml, canonical_html, canonical_text
                    ... one module a format; all end in the same kind of tree
    paths           where in a tree: JSONPath, exact and as a template
    rules           what a person has written about places that may differ
    excuse          whether one rule covers one pair of values
    walk            two trees to differences, aligned and bounded
    head            status, Location, Set-Cookie, Content-Type, listed headers
    detect          what a differing value looks like, and the rule to propose
    differences     grouping, excerpts, the signature
    noise           which fields legacy disagrees with itself about
    verdict         `compare()`: all of the above, and the verdict

Nothing is imported here, so that `figway.compare.rules` costs a proxy no more than itself.
"""
