"""Documents by the grammar, and the same with a few bytes changed."""

from __future__ import annotations

import random

NAMES = ("cart", "Cart", "user", "on", "query", "fragment", "type", "__typename", "a1", "_", "null")
VALUES = ("1", "-0.5e3", '"a"', '"{ x }"', '"""b {"}"""', "$v", "true", "RED", '"\\u0041"', "null")
BYTES = '{}()[]!:=@$.,#"\\\n \t&|aqmf_0-9é\ufeffon'


class Generator:
    """Writes documents; `chance` decides everything."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def document(self) -> str:
        number = self.chance.choice((1, 1, 1, 2, 3))
        parts = [self._operation(number > 1, at) for at in range(number)]
        parts += [
            f"fragment F{at} on Query{self._directives()} {self._selections(1)}" for at in (1, 2)
        ]
        self.chance.shuffle(parts)
        return self.chance.choice(("\n", " ", "# {c}\n", ",")).join(parts)

    def _operation(self, named: bool, at: int) -> str:
        chance = self.chance
        if not named and chance.random() < 0.3:
            return self._selections(0)
        kind = chance.choice(("query", "mutation", "subscription"))
        name = f"Op{at}" if named or chance.random() < 0.8 else ""
        variables = chance.choice(("", "($v: Int)", "($v: [Int!]! = [1, 2] @x, $w: A = {a: 1})"))
        return f"{kind} {name}{variables}{self._directives()}{self._selections(0)}"

    def _directives(self) -> str:
        return self.chance.choice(("", "", "", " @include(if: $v)", " @a @b(x: [1, {y: $v}])"))

    def _selections(self, depth: int) -> str:
        made = [self._selection(depth) for _ in range(self.chance.randint(1, 3))]
        return "{" + self.chance.choice((" ", "\n", ", ", " #}\n")).join(made) + " }"

    def _selection(self, depth: int) -> str:
        chance = self.chance
        lot = chance.random()
        if lot < 0.1:
            return f"...F{chance.choice((1, 2))}{self._directives()}"
        if lot < 0.2 and depth < 3:
            return chance.choice(("... on Query", "...", "... @skip(if: true)")) + self._selections(
                depth + 1
            )
        alias = f"{chance.choice(NAMES)}: " if chance.random() < 0.2 else ""
        arguments = f"({chance.choice(NAMES)}: {chance.choice(VALUES)})" * (chance.random() < 0.3)
        below = self._selections(depth + 1) if depth < 3 and chance.random() < 0.4 else ""
        return f"{alias}{chance.choice(NAMES)}{arguments}{self._directives()}{below}"


def mutated(text: str, chance: random.Random) -> str:
    """The same with characters taken away, put in, doubled or moved."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.choice((1, 1, 2, 5, 20)))
        piece = chance.choice(("", "", chance.choice(BYTES), text[at:end] * 2))
        text = text[:at] + piece + text[end:]
    return text


def envelope(chance: random.Random) -> bytes:
    """A SOAP message."""
    version = chance.choice(
        ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
    )
    prefix = chance.choice(("s", "soap", "SOAP-ENV", "ä"))
    local = chance.choice(("GetOrder", "get", "Ünicode", "Body", "Envelope"))
    own = chance.choice(
        (f'<m:{local} xmlns:m="urn:shop"><Body/></m:{local}>', f"<{local}/>",
         f'<{local} xmlns="urn:a&amp;b">x</{local}>',
         f"<!-- <x/> --><{local}>1</{local}><second id='s'/>",
         f"<![CDATA[<a/>]]><{local}/>", "")
    )  # fmt: skip
    header = chance.choice(("", f"<{prefix}:Header><Body><x/></Body></{prefix}:Header>"))
    declaration = chance.choice(
        ("", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-8"?>\n')
    )
    text = (
        f'{declaration}<{prefix}:Envelope xmlns:{prefix}="{version}">{header}'
        f"<{prefix}:Body>{own}</{prefix}:Body></{prefix}:Envelope>"
    )
    return text.encode()


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bytes with a few of them changed."""
    alphabet = b"<>&/:\"'= sBodyEnvelope!?-[]\xc3\xa4\xff\0"
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 2, 9, 40)))
        piece = chance.choice((b"", bytes([chance.choice(alphabet)]), data[at:end] * 2))
        data = data[:at] + piece + data[end:]
    return data
