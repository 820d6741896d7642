"""HTML by what it says: attribute order, spacing, comments and letter case of names do not
count.
"""

from __future__ import annotations

from figway.compare.canonical_json import Value
from figway.compare.elements import ElementBuilder
from figway.compare.html_tokens import Token, tokens
from figway.compare.limits import Budget

_VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"),
        *("param", "source", "track", "wbr"),
    )
)
# Start tags that end an open element of these names (HTML standard, section 13.1.2.4), as far as
# common.
_ENDS = {
    "li": {"li"},
    "p": {"p"},
    "div": {"p"},
    "ul": {"p"},
    "table": {"p"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "option": {"option"},
    "tr": {"td", "th", "tr"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "body": {"head"},
}
_KEEP_SPACE = frozenset({"pre", "textarea", "script", "style"})
# Elements that their `name` tells apart: their place among others may shift without meaning.
_NAMED = frozenset({"input", "select", "textarea", "button", "meta", "form"})


def parse_html(text: str, budget: Budget, depth: int) -> Value:
    """The tree of a page. Any text at all is HTML.

    Raises:
        CompareError: the budget's own.
    """
    builder = ElementBuilder(depth)
    for token in tokens(text):
        budget.spend(3 + len(token.attributes))
        if token.kind == "text":
            _add_text(builder, token)
        elif token.kind == "start":
            _start(builder, token, budget)
        elif token.kind == "end":
            _end(builder, token.name, budget)
    return builder.tree()


def _add_text(builder: ElementBuilder, token: Token) -> None:
    if _tag(builder.label) in _KEEP_SPACE:
        builder.text(token.text.replace("\r\n", "\n").strip("\n"))
    else:
        builder.text(" ".join(token.text.split()))


def _start(builder: ElementBuilder, token: Token, budget: Budget) -> None:
    for _ in range(3):
        if _tag(builder.label) not in _ENDS.get(token.name, ()):
            break
        budget.spend(1)
        builder.end()
    attributes = dict(token.attributes)
    if "class" in attributes:
        attributes["class"] = " ".join(sorted(set(attributes["class"].split())))
    label = token.name
    name = attributes.get("name") or attributes.get("property")
    if label in _NAMED and name:
        label = f"{label}[name={name[:60]}]"
    elif label == "input" and attributes.get("type", "").lower() == "password":
        # Told apart so that its value is known for what it is wherever it is shown.
        label = "input[type=password]"
    builder.start(label, attributes, leaf=token.name in _VOID or token.raw.endswith("/>"))


def _end(builder: ElementBuilder, name: str, budget: Budget) -> None:
    labels = builder.open_labels()
    budget.spend(len(labels))
    for back, label in enumerate(reversed(labels), 1):
        if _tag(label) == name:
            for _ in range(back):
                builder.end()
            return


def _tag(label: str) -> str:
    return label.partition("[")[0]
