"""Compare two answers to one request: pure, bounded, and explained by path.

The modules, in the order that a pair flows through them:

    answer          what comes in: two `Answer`s and the `Context` around them
    limits          what one comparison may cost
    decode          content codings, media types, charsets: bytes to text
    canonical_json  text to a tree of values ...
    canonical_form, canonical_xml, canonical_html, canonical_text
                    ... one module a format; all end in the same kind of tree
                    (elements: that tree for XML and HTML; html_tokens: tags and text in one pass)
    paths           where in a tree: JSONPath, exact and as a template
    rules           what a person has written about places that may differ
    excuse          whether one rule covers one pair of values (patterns: RE2; moments: times)
    align           which element of one array belongs to which of the other
    walk            two trees to differences
    head            status, Location, Set-Cookie (cookies), Content-Type, listed headers
    detect          what a differing value looks like, and the rule to propose
    differences     grouping, excerpts, the signature
    noise           which fields legacy disagrees with itself about
    verdict         `compare()`: all of the above, and the verdict

Nothing is imported here, so that `figway.compare.rules` costs a proxy no more than itself.
"""
