"""OpenQASM: what is refused, with its place and what to do; limits; any text at all."""

import re
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import qasm_mutations
from oracles.qasm_texts import HEADER, HEADER_2

import quilt_func as qf

REFUSED = {
    "x q[3];": (1, "index 3 of `q`"),
    "reset r;": (1, "the unknown qubit register `r`"),
    "gate g a { reset a; }": (1, "`reset` in a gate"),
    "gate g a { for int i in [0:1] x a; }": (1, "`for` in a gate"),
    "while (true) { }": (1, "`while`"),
    'include "other.inc";': (1, 'include of "other.inc"'),
    'include "../qelib1.inc";': (1, 'include of "../qelib1.inc"'),
    "gate g a { g a; }": (1, "`g` in its own definition"),
    "gate f a { g a; } gate g a { f a; }": (1, "the unknown gate `g`"),
    "gate x a { x a; }": (1, "`x` in its own definition"),
    "gate g a { h b; }": (1, "`b` in the gate `g`"),
    "gate g a, a { }": (1, "the gate `g` on 1 different wires"),
    "gate g a { } gate g b { }": (1, "a second `g`"),
    "opaque g a; g q[0];": (1, "the opaque gate `g`"),
    "foo q;": (1, "the unknown gate `foo`"),
    "csx q[0], q[1];": (1, "the unknown gate `csx`"),
    "x r;": (1, "the unknown qubit register `r`"),
    "qubit q;": (1, "a second `q`"),
    "rx q[0];": (1, "0 argument(s) of `rx`"),
    "cx q[0];": (1, "1 qubit(s) of `cx`"),
    "cx q[0], q[0];": (1, "`cx` twice on one qubit"),
    "qubit[2] r; cx q, r;": (1, "registers of 2 and 3 qubits"),
    "bit[2] c; c = measure q;": (1, "3 qubit(s) measured to 2 bit(s)"),
    "rx(1/0.0) q;": (1, "no number from `/`"),
    "rx(sqrt(-1)) q;": (1, "no number from `sqrt`"),
    "rx((-1) ** 0.5) q;": (1, "no number from `pow`"),
    "rx(1e200 * 1e200) q;": (1, "an infinite number"),
    "int n = 2 ** 62 * 4;": (1, "an int of more than 64 bits"),
    "rx(a) q;": (1, "the unknown name `a`"),
    "rx(2 ^ 3) q;": (1, "`^`"),
    "rx(100ns) q;": (1, "the number 100ns"),
    "rx(2pi) q;": (1, "the number 2pi"),
    "rx(1.2.3) q;": (1, "`.3`"),
    "rx(acos(0.5)) q;": (1, "the unknown function `acos`"),
    "rx(popcount(3)) q;": (1, "the unknown function `popcount`"),
    "rx(0.5 * ceil(a)) q;": (1, "the unknown function `ceil`"),
    "rx(sin(1, 2)) q;": (1, "2 argument(s) of `sin`"),
    f"rx({'(' * 99}": (1, "nesting deeper than 64"),
    f"rx({'-' * 99}1) q;": (1, "nesting deeper than 64"),
    "for int i in [0:1] " * 99: (1, "nesting deeper than 64"),
    "for int i in [0:1] input float a;": (1, "`input` in a loop or branch"),
    "for int i in [0:1] { x q; qubit r; }": (1, "`qubit` in a loop or branch"),
    "for int i in [0:] x q;": (1, "a loop without bounds"),
    "for int i in [0:0:1] x q;": (1, "a range with step 0"),
    "for int i in [0:0.5] x q;": (1, "0.5, not an int"),
    "for int i in [0:999999999] x q;": (1, "more work than max_gates=50000 allows"),
    "pow(1e12) @ x q[0];": (1, "more work than max_gates=50000 allows"),
    "input float a; pow(0.5) @ U(1, a, 3) q[0];": (
        1, "the power 0.5 of a gate that depends on an `input`"),
    "ctrl(0) @ x q[0];": (1, "`ctrl` of something else than a whole number from 1"),
    "qubit[9] r; ctrl(8) @ x r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8];": (
        1, "a gate of 9 qubits"),
    "qubit[5000] r;": (1, "a register of 5000 after 3"),
    "input int n;": (1, "`int`"),
    "input float a; pow(a) @ x q[0];": (1, "a power of an `input`"),
    "input float a; x q[int(a)];": (1, "an `input` made an int"),
    "int n = 1;\nn = 2;": (2, "an assignment to `n`"),
    "int n = 1; n += 2;": (1, "an assignment to `n`"),
    "int n;": (1, "`n` without a value"),
    "qubit n = 2;": (1, "`=`"),
    "x[0] q;": (1, "`q`"),
    'bit[2] c = "011";': (1, "3 bit(s) for 2"),
    'bit[2] c = "ab";': (1, '`"ab"`'),
    "bit c = 2;": (1, "a number beyond 1 bit(s)"),
    "bit[2] c; c = 4;": (1, "a number beyond 2 bit(s)"),
    "bit[2] c; c = -1;": (1, "a number beyond 2 bit(s)"),
    "bit[2] c; bit[3] d; c = d;": (1, "3 bit(s) for 2"),
    "bit[2] c; bit[3] d; c = d ^ d;": (1, "3 bit(s) for 2"),
    "bit[2] c; bit[3] d; c = c & d;": (1, "2 bit(s) `&` 3 bit(s)"),
    "bit[2] c; c[2] = 1;": (1, "index 2 of `c`"),
    "bit c; c += 1;": (1, "an assignment to `c`"),
    "bit c; c = 1 / 0;": (1, "no int64 from `/`"),
    "bit c; c = 3 % c;": (1, "no int64 from `%`"),
    "bit c; c = 1 << 64;": (1, "no int64 from `<<`"),
    "bit c; c = 2 ** 62 == 1;": (1, "`**`"),
    "bit c; c = 9223372036854775807 + 1 == 0;": (1, "no int64 from `+`"),
    "bit c; c = ~1;": (1, "`~` of a number"),
    "bit c; c = 0.5 < 1;": (1, "0.5 among bits"),
    "bit c; const float a = 0.5; c = a < 1;": (1, "`a`, which is no whole number, among bits"),
    "input float a; bit c; c = a < 1;": (1, "`a`, which is no whole number, among bits"),
    "bit c; c = sin(1) < 1;": (1, "the function `sin` of bits"),
    "bit c; c = q[0];": (1, "`q`, which holds qubits"),
    "q = 1;": (1, "`q`, which holds qubits"),
    "bit[2] c; c = int[2](c);": (1, "2 bit(s) as an int of 2"),
    "bit[2] c; c = uint[99](c);": (1, "a cast to 99 bit(s)"),
    "bit[2] c; const int n = 2; c = uint[n](c);": (1, "a cast to a size that is computed"),
    "bit c; rx(c) q;": (1, "the bit(s) `c` for a number"),
    "bit[2] c; for int i in [0:c] x q;": (1, "the bit(s) `c` for a number"),
    "bit c; x q[c];": (1, "the bit(s) `c` for a number"),
    "def f(bit b) { rx(b) q; } f(1);": (1, "the unknown qubit register `q`"),
    "if (c == 1) x q;": (1, "the unknown bit register `c`"),
    "bit c; if c x q;": (1, "`c`"),
    "bit c; if (c x q;": (1, "`x`"),
    "bit c; if () x q;": (1, "`)`"),
    "bit c; if (c == ) x q;": (1, "`)`"),
    "bit c; if (measure q[0]) x q;": (1, "`measure` within an expression"),
    "bit c; c = !measure q[0];": (1, "`measure` within an expression"),
    "bit[64] c; if (c == 1) x q;": (1, "a value of more than 16 measured bits, or 63 in all"),
    "def f0() { x q[0]; } def f1() { f0(); }" + "".join(
        f"def f{i + 1}() {{ f{i}(); }}" for i in range(1, 99)) + "f99();": (
            1, "statements nested deeper than 80"),
    "bit c; if (c) qubit r;": (1, "`qubit` in a loop or branch"),
    "bit c; if (c) { bit d; }": (1, "`bit` in a loop or branch"),
    "bit c; else x q;": (1, "`else`"),
    "bit c; if (c) x q; else else x q;": (1, "`else`"),
    "h q;\nbit c; c = measure q[0]; if (c) c = measure q[1];": (2, "`measure` under a condition"),
    "bit c; while (c == 0) { c = measure q[0]; }": (1, "`while`"),
    "bit c; switch (c) { }": (1, "`switch`"),
    "bit c; for int i in [0:3] { if (c) break; }": (1, "`break`"),
    "bit[17] c; qubit[17] r; h r; c = measure r; if (c == 1) x q;": (
        1, "a value of more than 16 measured bits, or 63 in all"),
    "bit c; if (" + "!" * 99 + "c) x q;": (1, "nesting deeper than 64"),
    "bit c; if (" + "(" * 99 + "c) x q;": (1, "nesting deeper than 64"),
    "bit c; " + "if (c) " * 99 + "x q;": (1, "nesting deeper than 64"),
    "bit c; " + "if (c) x q; else " * 99 + "x q;": (1, "nesting deeper than 64"),
    "return 1;": (1, "`return`"),
    "def f(qubit a) { if (true) return 1; }": (1, "`return`"),
    "def f(qubit a) { return 1; x a; }": (1, "`x`"),
    "def f(qubit a) { qubit b; }": (1, "`qubit` in a subroutine"),
    "def f(qubit a, qubit a) { }": (1, "a parameter twice in `f`"),
    "def f(complex a) { }": (1, "`complex`"),
    "def f(qubit a) { x q; } f(q[0]);": (1, "the unknown qubit register `q`"),
    "def f(qubit a) { f(a); } f(q[0]);": (1, "the unknown gate `f`"),
    "def f(qubit a) { } f(q);": (1, "3 qubit(s) for `a`"),
    "def f(qubit[2] a) { } f(q);": (1, "3 qubit(s) for `a`"),
    "def f(qubit[0] a) { } f(q);": (1, "0 qubit(s) for `a`"),
    "def f(qubit a) { } f();": (1, "0 argument(s) of `f`"),
    "def f(qubit a) { } f(q[0], q[1]);": (1, "more than 1 argument(s) of `f`"),
    "def f(int n) { } f(0.5);": (1, "0.5, not an int"),
    "def f(qubit a) { } def f(qubit a) { }": (1, "a second `f`"),
    "def f(qubit a) { } bit c; c = f(q[0]);": (1, "a value of `f`, which returns none"),
    "def f(qubit a) -> bit { return measure a; } bit[2] c; c = f(q[0]);": (
        1, "1 qubit(s) measured to 2 bit(s)"),
    "def f() { x q[0]": (1, "no `;`"),
    "bit c; c = 1\nx q;": (1, "no `;`"),
    "bit[3] c; h c;": (1, "`c`, which holds bits"),
    "c = measure q;": (1, "the unknown bit register `c`"),
    "measure q -> q;": (1, "`q`, which holds qubits"),
    "/* ": (1, "a comment without end"),
    "x q": (1, "no `;`"),
    "x q[0]\n\nx q[1];": (1, "no `;`"),
    "x q // here\n\nx q[1];": (1, "no `;`"),
    "rx(0.5) q[0]\nrx(0.3) q[0];": (1, "no `;`"),
    "cx q[0], q[1]\n": (1, "no `;`"),
    "bit c\nx q;": (1, "no `;`"),
    "bit[3] c; c = measure q\nx q;": (1, "no `;`"),
    "bit[3] c; measure q -> c\nmeasure q -> c;": (1, "no `;`"),
    "const int n = 3\nx q[0];": (1, "no `;`"),
    "const float n = 3 * pi / 4\nx q[0];": (1, "no `;`"),
    "input float n\nx q[0];": (1, "no `;`"),
    "let r = q[0:1]\nx r;": (1, "no `;`"),
    "barrier q\nx q;": (1, "no `;`"),
    "reset q\nx q;": (1, "no `;`"),
    "opaque g a\nx q;": (1, "no `;`"),
    "gate g a { x a }": (1, "no `;`"),
    "gate g a {\n x a\n y a; }": (2, "no `;`"),
    "for int i in [0:1] { x q[i] }": (1, "no `;`"),
    'include "stdgates.inc"\nx q;': (1, "no `;`"),
    "cx q[0] q[1];": (1, "no `;`"),
    "x q[0]];": (1, "`]`"),
    "x $0;": (1, "the physical qubit `$0`"),
    "cx q[0], $1;": (1, "the physical qubit `$1`"),
    "measure $12;": (1, "the physical qubit `$12`"),
    "x \\q;": (1, "the character '\\\\'"),
    "#pragma fast\nx q;": (1, "`#pragma`"),
    "pragma fast\nx q;": (1, "`pragma`"),
    "x q; @fast\nx q;": (1, "an annotation within a line"),
    "gate cx a, b { }\ninclude \"stdgates.inc\";": (2, "a second `cx`"),
    "gate g a { rx(k) a; }": (1, "the unknown name `k` in a gate"),
    "gate g a { rx(k) a; } const float k = 0.3;": (1, "the unknown name `k` in a gate"),
    "gate g a { rx(i) a; } for int i in [0:1] { g q[i]; }": (1, "the unknown name `i` in a gate"),
    "input float k; gate g a { rx(k) a; }": (1, "the input `k` in a gate"),
    "gate g a { pow(k) @ x a; }": (1, "the unknown name `k` in a gate"),
    "gate g a, b { rzz(0.1) a, b; }": (1, "the unknown gate `rzz`"),
    "gate ccz a, b, c { h c; unknown a; h c; }": (1, "the unknown gate `unknown`"),
    "gate rxx(t) a, b { foo a; }": (1, "the unknown gate `foo`"),
    "int n = 0xffffffffffffffffff;": (1, "an int of more than 64 bits"),
    "rx(1e999) q;": (1, "an infinite number"),
    "OPENQASM 3.0;": (1, "`OPENQASM`"),
    f"int n = {'9' * 99};": (1, "a number of 99 characters"),
}  # fmt: skip
PLACE = re.compile(
    r"from_qasm\(text=.*\): `text` must be OpenQASM that can be simulated, "
    r"but got (.*) at line (\d+), column (\d+)\. .+\.",
    re.DOTALL,
)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_refused_with_its_place(text):
    line, got = REFUSED[text]
    with pytest.raises(ValueError, match="line") as caught:
        qf.from_qasm(HEADER.replace("3.0; ", "3.0;\n").replace("q; ", "q;\n") + text)
    found = PLACE.fullmatch(str(caught.value))
    assert found, str(caught.value)
    assert (found[1], int(found[2])) == (got, line + 2)


def test_the_column_is_the_first_characters():
    with pytest.raises(ValueError, match=r"index 7 of `q` at line 2, column 7\."):
        qf.from_qasm(HEADER + "\n  x   q[7];")
    with pytest.raises(ValueError, match=r"no `;` at line 2, column 9\. Write `;` here, or"):
        qf.from_qasm(HEADER + "\n  x q[0]  // comment\n/* more */ y q[0];")


OF_2 = {
    "qreg q[1];\nx r[0];": (
        2, "the unknown qubit register `r`", "Declare it before: `qreg r[2];`."),
    "qreg q[1];\nmeasure q -> c;": (
        2, "the unknown bit register `c`", "Declare it before: `creg c[2];`."),
    "qreg q[1]; rx(acos(0.5)) q[0];": (1, "the unknown function `acos`", "Write `arccos`."),
    "qreg q[1]; rx(sinh(0.5)) q[0];": (
        1, "the unknown function `sinh`",
        "Use arccos, arcsin, arctan, ceiling, cos, exp, floor, ln, log, mod, pow, sin, sqrt, tan."),
    "opaque g a;\nqreg q[1];\ng q[0];": (
        3, "the opaque gate `g`", "Define it instead: `gate g ... { ... }`."),
    "opaque g a;\ngate f a { g a; }": (
        2, "the opaque gate `g`", "Define it instead: `gate g ... { ... }`."),
    "qubit[2] q;": (
        1, "`qubit`, which is a word of version 3", "Write `OPENQASM 3.0;` in the first line."),
    "qreg q[2]; ctrl @ x q[0], q[1];": (
        1, "`ctrl`, which is a word of version 3", "Write `OPENQASM 3.0;` in the first line."),
    "gate g a { inv @ s a; }": (
        1, "`inv`, which is a word of version 3", "Write `OPENQASM 3.0;` in the first line."),
    "qreg q[1]; const int n = 3;": (
        1, "`const`, which is a word of version 3", "Write `OPENQASM 3.0;` in the first line."),
    "qreg q[1]; creg c[1]; if (c[0] == 1) x q[0];": (
        1, "`[`", "Write `==` and a whole number here."),
    "qreg q[1]; creg c[1]; if (c == c) x q[0];": (1, "`c`", "Write a whole number here."),
    "qreg q[1]; creg c[1]; if (c == 1) { x q[0]; }": (1, "`{`", "Write a statement here."),
    "qreg q[1]; creg c[1]; if (c == 1) barrier q;": (
        1, "`barrier` under an `if`", "In version 2 a gate follows; version 3 has blocks."),
    "qreg q[2]; creg c[1]; h q; measure q[0] -> c[0]; if (c == 1) measure q[1] -> c[0];": (
        1, "`measure` under a condition",
        "`if (c) swap q, spare; d = measure spare; if (c) swap q, spare;`."),
    "qreg q[1]; creg c[1]; c = 1;": (
        1, "an assignment to `c`", "Write `OPENQASM 3.0;` in the first line."),
    "qreg pi[1];": (1, "a second `pi`", "Give it another name."),
    "qreg q[2];\nh q[0]\ncx q[0], q[1];": (
        2, "no `;`", "Write `;` here, or `,` if the list goes on."),
    "qreg q[2]\nh q[0];": (1, "no `;`", "Write `;` here."),
    "creg c[2]\nqreg q[2];": (1, "no `;`", "Write `;` here."),
}  # fmt: skip


@pytest.mark.parametrize("text", OF_2)
def test_refused_in_version_2_with_the_remedy(text):
    line, got, remedy = OF_2[text]
    with pytest.raises(ValueError, match="line") as caught:
        qf.from_qasm(HEADER_2 + text)
    assert re.search(rf"but got {re.escape(got)} at line {line}, column \d+\. ", str(caught.value))
    assert str(caught.value).endswith(remedy)


INCLUDES = {
    "OPENQASM 3.0; qubit q; h q;": "stdgates.inc",
    "OPENQASM 2.0; qreg q[1]; h q;": "qelib1.inc",
    "qubit q; h q;": "stdgates.inc",
    "qreg q[1]; h q;": "qelib1.inc",
    "OPENQASM 3.0; qubit[2] q; rzz(1) q[0], q[1];": "qelib1.inc",
    "OPENQASM 2.0; qreg q[1]; phase(1) q;": "stdgates.inc",
    "OPENQASM 2.0; gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }": "qelib1.inc",
    "OPENQASM 3.0; gate ccz a, b, c { h c; ccx a, b, c; h c; }": "stdgates.inc",
}


@pytest.mark.parametrize("text", INCLUDES)
def test_a_missing_include_is_named(text):
    with pytest.raises(ValueError, match=f'the unknown gate .*Write `include "{INCLUDES[text]}";`'):
        qf.from_qasm(text)


# --- limits ---

LONG = {
    "lines": "rz(0.3 * pi) q[2];\n" * 60_000,
    "one line": "cx q[0], q[1]; " * 60_000,
    "one statement": "barrier " + "q[0], " * 300_000 + "q[1];",
    "one expression": "rx(" + "1 + " * 600_000 + "1) q[0];",
    "a definition": "gate g a { " + "h a; " * 300_000 + "}",
    "definitions": "".join(f"gate g{i} a {{ h a; t a; }} " for i in range(60_000)),
    "a definition that is called": "gate g a { " + "h a; " * 20_000 + "} g q[0];",
    "broadcasting": "qubit[4000] r; h r;",
    "a doubled call": "qubit[60] r; h r; h r;",
    "nested loops": "for int i in [0:99] for int j in [0:99] for int k in [0:99] h q[0];",
    "empty loops": "for int i in [0:9999] { for int j in [0:9999] { } }",
    "many names": "".join(f"const int n{i} = {i}; " for i in range(20_000))
                  + "for int i in [0:9999] { const int m = i; }",
    "many names and branches": "".join(f"const int n{i} = {i}; " for i in range(4_000))
                               + "for int i in [0:9999] { if (true) { } }",
    "powers": "pow(101) @ x q[0];",
    "powers of powers": "gate g a { pow(99) @ x a; } gate f a { pow(99) @ g a; } pow(99) @ f q[0];",
    "aliases": "let r0 = q; " + "".join(f"let r{i + 1} = r{i} ++ r{i}; " for i in range(40)),
    "comments without end": "/* */ " * 1_000 + "/* " * 100_000,
    "annotations": "\n@a" * 300_000 + "\nx q[0];" * 101,
    "roots": "qubit[8] r; gate g a, b, c, d, e, f, g, h { h a; cx a, b; cx b, c; cx c, d; cx d, e; "
             "cx e, f; cx f, g; cx g, h; } for int i in [2:90] "
             "pow(1.0 / i) @ g r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7];",
    "conditions of many bits": "bit[16] c; qubit[16] r; h r; c = measure r; "
        "for int i in [1:1000] { if (c % 3 == 1) x q[0]; }",
    "gates under a condition of many bits": "bit[16] c; qubit[16] r; h r; c = measure r; "
        "if (c % 3 == 1) for int i in [1:1000] x q[0];",
    "bits that are set": "bit[2000] c; bit[2000] d; for int i in [1:1000] { c = d; d = c; }",
    "bits of subroutines": "def f() { bit[4000] c; } for int i in [1:1000] f();",
    "subroutines of subroutines": "def f0() { } " + "".join(
        f"def f{i + 1}() {{ {f'f{i}(); ' * 9} }} " for i in range(30)) + "f30();",
    "long conditions": "bit c; if (" + "c ^ " * 300_000 + "c) x q;",
    "gates of gates": "gate g0 a { } " + "".join(
        f"gate g{i + 1} a {{ {f'g{i} a; ' * 50} }} " for i in range(30)) + "g30 q[0];",
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_refused_before_they_are_written_out(name):
    """Written out, each has gates for hours."""
    start = time.process_time()
    with pytest.raises(ValueError, match=r"max_gates=100|comment without end"):
        qf.from_qasm(HEADER + LONG[name], max_gates=100)
    assert time.process_time() - start < 20


def test_the_bound_is_exact():
    text = (
        HEADER + "gphase(0.1); barrier q;" * 50 + "gate g a { h a; t a; } " + "g q; " * 20 + "h q;"
    )
    assert qf.from_qasm(text, max_gates=123).n_gates == 123
    with pytest.raises(ValueError, match="more than max_gates=122 gates at line 1, column"):
        qf.from_qasm(text, max_gates=122)


def test_long_angles_and_headers_are_within_the_bound():
    definitions = "".join(
        f"gate g{i}(t) a, b {{ cx a, b; rz(t / {i + 2}) b; }} " for i in range(99)
    )
    angles = ", ".join(["-3 * pi / 4 + 0.25 ** 2"] * 3)
    text = HEADER + definitions + "bit[3] c; barrier q;" * 1 + f"U({angles}) q[0];" * 1_000
    assert qf.from_qasm(text, max_gates=1_000).n_gates == 1_000


def calls_of(n_gates):
    """How many functions run while gates are read, which unlike time does not depend on load."""
    turns = ["rz(0.3 * pi) q[2];", "cx q[0], q[1];", "u3(pi / 2, 0.1, -pi / 4) q[1];", "h q[0];"]
    text = HEADER + "\n".join(turns * (n_gates // 4))
    count = 0

    def trace(*_):
        nonlocal count
        count += 1

    old = sys.getprofile()
    sys.setprofile(trace)
    try:
        qf.from_qasm(text)
    finally:
        sys.setprofile(old)
    return count


def test_reading_is_linear():
    calls_of(4)
    once, twice = calls_of(2_000), calls_of(4_000)
    assert twice < 2.1 * once
    assert once < 400 * 2_000


def test_a_hundred_thousand_gates_are_read_in_seconds():
    text = HEADER + "rz(0.123456) q[2];\ncx q[0], q[1];\n" * 50_000
    start = time.process_time()
    assert qf.from_qasm(text, max_gates=100_000).n_gates == 100_000
    assert time.process_time() - start < 4


def test_a_bound_that_is_raised():
    text = HEADER + "for int i in [1:20000] { h q; }"
    with pytest.raises(ValueError, match="max_gates"):
        qf.from_qasm(text)
    assert qf.from_qasm(text, max_gates=10**6).n_gates == 60_000


def test_gates_that_grow_without_end_are_stopped():
    bodies = [f"gate g{i + 1} a {{ {f'g{i} a; ' * 50} }} " for i in range(30)]
    with pytest.raises(ValueError, match="more work than max_gates"):
        qf.from_qasm(HEADER + "gate g0 a { } " + "".join(bodies) + "g30 q[0];")


# --- any text ---


def read_or_refused(text):
    """A circuit, a function, or a message with its place."""
    told = None
    try:
        assert callable(qf.from_qasm(text, max_gates=500))
    except ValueError as error:
        told = str(error)
    assert told is None or PLACE.fullmatch(told), told


NUMBERS = st.integers(0, 9999)


@given(text=st.text(max_size=200) | st.text("q10.+-*/()[]{};,@ \ngatehx", max_size=200))
@example(text="")
@example(text="\ud800")
def test_any_text(text):
    read_or_refused(text)


@settings(max_examples=150)
@given(choices=st.lists(NUMBERS, max_size=12))
def test_any_order_of_statements(choices):
    read_or_refused(qasm_mutations.program([0, 2, *choices]))


@settings(max_examples=150)
@given(program=NUMBERS, edits=st.lists(st.tuples(st.integers(0, 4), NUMBERS, NUMBERS), max_size=4))
def test_any_mistake(program, edits):
    read_or_refused(qasm_mutations.mutate(program, edits))
