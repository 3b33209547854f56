"""A cursor over OpenQASM's tokens, and expressions read into postfix lists.

Nesting is counted, a chain of operators is a loop, and time is linear.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from quilt_func.qasm.arithmetic import FUNCTIONS
from quilt_func.qasm.lexer import (
    CASTS,
    DIGITS,
    MARKS,
    Expression,
    QasmError,
    Step,
    bounded,
    is_word,
    split,
)

T = TypeVar("T")

MAX_NESTING = 64
_MAX_DIGITS = 40
_TOKENS, _TOKENS_PER_GATE = 100_000, 64
"""How long a text may be: room for a header, and for a gate with three long angles."""
_ENDS = frozenset({",", ")", "]", ":", ";", "}"})
_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
_OTHER_NAMES = {
    "acos": "arccos", "asin": "arcsin", "atan": "arctan", "ceil": "ceiling", "fmod": "mod",
}  # fmt: skip


def number(text: str, place: int) -> int | float:
    """The value of a number's token."""
    digits = text.replace("_", "")
    if len(digits) > _MAX_DIGITS:
        remedy = f"Write at most {_MAX_DIGITS} characters."
        raise QasmError(f"a number of {len(digits)} characters", place, remedy)
    try:
        if digits[:2].lower() in ("0x", "0b", "0o"):
            value: int | float = int(digits, 0)
        else:
            value = int(digits) if digits.isdecimal() else float(digits)
    except ValueError:
        remedy = "Write it like 1.5e-3, without a unit, and products with `*`."
        raise QasmError(f"the number {text[:40]}", place, remedy) from None
    return bounded(value, place)  # type: ignore[no-any-return]


class Cursor:
    """A place in a text of tokens, and what can be read there.

    Args:
        text: The program.
        max_gates: What bounds the number of tokens.
    """

    def __init__(self, text: str, max_gates: int) -> None:
        self.max_gates = max_gates
        self.tokens = split(text, _TOKENS + _TOKENS_PER_GATE * max_gates)
        self.is_cut = self.tokens[-1] != ""
        self.tokens += [""] * 4  # so that looking ahead is safe
        self.at, self.depth, self.version = 0, 0, 3

    @property
    def token(self) -> str:
        return self.tokens[self.at]

    def accept(self, *texts: str) -> bool:
        if self.tokens[self.at] not in texts:
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        if self.tokens[self.at] == text:
            self.at += 1
        elif text == ";":
            self.no_semicolon("Write `;` here.")
        else:
            self.fail(f"`{text}`")

    def word(self, what: str = "a name") -> str:
        token = self.tokens[self.at]
        if not is_word(token):
            self.fail(what)
        self.at += 1
        return token

    def no_semicolon(self, remedy: str) -> NoReturn:
        """Refuse a statement that goes on, where it should have ended."""
        self.check_readable()
        if self.token in ("", "}") or is_word(self.token):
            raise QasmError("no `;`", self.at - 1, remedy, after=True)
        raise QasmError(f"`{self.token[:40]}`", self.at, remedy)

    def fail(self, wanted: str) -> NoReturn:
        self.check_readable()
        got = f"`{self.token[:40]}`" if self.token else "the end of the text"
        raise QasmError(got, self.at, f"Write {wanted} here.")

    def check_readable(self) -> None:
        """Refuse what stands nowhere in a text that is read, and texts that are too long."""
        token, rest = self.token, self.token[1:]
        if not token and self.is_cut:
            got = f"a text too long for max_gates={self.max_gates}"
            raise QasmError(got, self.at, "Raise `max_gates` if you trust the text.")
        if token[:2] == "/*":
            raise QasmError("a comment without end", self.at, "Close it with `*/`.")
        if token[:1] == "$" and rest.isdecimal():
            remedy = f"Declare a register, such as `qubit[{int(rest[:3]) + 1}] q;`, and use it."
            raise QasmError(f"the physical qubit `{token[:40]}`", self.at, remedy)
        if token[:1] == "#" and rest:
            raise QasmError(f"`{token[:40]}`", self.at, "It is not read. Leave it out.")
        known = is_word(token) or token in MARKS or token[:1] in DIGITS or len(token) != 1
        if not known:
            raise QasmError(f"the character {token!r}", self.at, "Remove it.")

    def nested(self, read: Callable[[], T]) -> T:
        """Go one level deeper, down to a limit."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            got = f"nesting deeper than {MAX_NESTING}"
            raise QasmError(got, self.at, "Write it in several statements.")
        result = read()
        self.depth -= 1
        return result

    def listed(self, read: Callable[[], T], end: str) -> tuple[T, ...]:
        """Read items between commas up to a closing mark, which is taken."""
        items: list[T] = []
        tokens = self.tokens
        while tokens[self.at] != end:
            items.append(read())
            if tokens[self.at] == ",":
                self.at += 1
            elif tokens[self.at] != end:
                self.no_comma(end)
        self.at += 1
        return tuple(items)

    def no_comma(self, end: str) -> NoReturn:
        if end == ";":
            self.no_semicolon("Write `;` here, or `,` if the list goes on.")
        self.fail(f"`,` or `{end}`")

    def size(self) -> Expression | None:
        if not self.accept("["):
            return None
        found = self.expression()
        self.expect("]")
        return found

    # --- expressions ---

    def expression(self) -> Expression:
        at, token = self.at, self.token
        if token[:1] in DIGITS and self.tokens[at + 1] in _ENDS:  # most of them are one number
            self.at += 1
            return (Step("number", number(token, at), 0, at),)
        steps: list[Step] = []
        self.chain(steps, 1)
        return tuple(steps)

    def chain(self, steps: list[Step], rank: int) -> None:
        """Operators of a rank or higher, from the left."""
        self.signed(steps)
        place = self.at
        while (found := _RANKS.get(self.tokens[place], 0)) >= rank:
            self.at, mark = place + 1, self.tokens[place]
            self.chain(steps, found + 1)
            kind = "//" if mark == "/" and self.version == 3 else mark
            steps.append(Step(kind, mark, 2, place))
            place = self.at

    def signed(self, steps: list[Step]) -> None:
        """What is between two operators: signs, an atom, and its power."""
        at, token = self.at, self.tokens[self.at]
        self.at = at + 1
        if token[:1] in DIGITS or (token[:1] == "." and token != "."):
            steps.append(Step("number", number(token, at), 0, at))
        elif is_word(token):
            self.named(steps, token)
        elif token == "(":
            self.nested(lambda: self.chain(steps, 1))
            self.expect(")")
        elif token in ("-", "+"):
            self.nested(lambda: self.signed(steps))
            if token == "-":
                steps.append(Step("neg", "neg", 1, at))
            return
        else:
            self.at = at
            self.fail("an expression")
        if self.tokens[self.at] in ("**", "^"):
            self.power(steps)

    def power(self, steps: list[Step]) -> None:
        place = self.at
        if self.token == "^" and self.version == 3:
            raise QasmError("`^`", place, "In version 3 it means bits. Write `**` for a power.")
        self.at += 1
        self.nested(lambda: self.signed(steps))
        steps.append(Step("pow", "pow", 2, place))

    def named(self, steps: list[Step], token: str) -> None:
        """A function or a cast with its arguments, or a name."""
        place, after = self.at - 1, self.tokens[self.at]
        if token in CASTS and after == "[":
            self.size()
        elif after != "(":
            steps.append(Step("name", token, 0, place))
            return
        if token not in FUNCTIONS and token not in CASTS:
            known = ", ".join(sorted(FUNCTIONS))
            remedy = f"Write `{_OTHER_NAMES[token]}`." if token in _OTHER_NAMES else f"Use {known}."
            raise QasmError(f"the unknown function `{token[:40]}`", place, remedy)
        self.expect("(")
        arity = 0
        while not self.accept(")"):
            if arity:
                self.expect(",")
            self.nested(lambda: self.chain(steps, 1))
            arity += 1
        steps.append(Step(token, token, arity, place))
