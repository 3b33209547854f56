"""Programs with mistakes: real ones, of which tokens are dropped, doubled, swapped or replaced."""

import re

from oracles.qasm_texts import PROGRAMS

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
# ruff: noqa: E501
# fmt: off
VOCABULARY = [
    "OPENQASM", "2.0", "3.0", ";", ",", "(", ")", "[", "]", "{", "}", "@", "->", "=", "**", "^", "-",
    "+", "/", "*", "%", ":", "++", '"', "'", "\\", "/*", "*/", "//", "\n", "$0", "#pragma", "é", "\0",
    "qreg", "qubit", "bit", "creg", "gate", "opaque", "input", "float", "int", "const", "let", "for",
    "in", "if", "while", "def", "reset", "measure", "barrier", "include", "stdgates.inc", "qelib1.inc",
    "ctrl", "negctrl", "inv", "pow", "gphase", "U", "CX", "h", "cx", "rx", "u3", "c4x", "q", "a", "b",
    "theta", "pi", "sin", "ln", "sqrt", "0", "1", "2", "-1", "0.5", "1e309", "9" * 30, "1e9", "0x", "7",
    "ctrl(7) @ ", "ctrl(99999) @ ", "pow(1e9) @ ", "pow(0.1) @ ", "negctrl(3) @ ", "inv @ " * 50,
    "(" * 80, ")" * 80, "-" * 80, "**9" * 30, "1+" * 500, "[0:1000000000]", "qreg r[4096];",
    "qubit[100000000] r;", "for int i in [0:999999999] { h q; }", "gate g a { g a; }",
    "gate g0 a { h a; } gate g1 a { " + "g0 a; " * 50 + "} gate g2 a { " + "g1 a; " * 50
    + "} gate g3 a { " + "g2 a; " * 50 + "} gate g4 a { " + "g3 a; " * 50 + "}",
    "g4 q[0];", "int n = 9**9**9;", "float x = 1/0;", "\n@note", "$", "pow(0.37) @ ", '"01"',
    "if (c == 1) ", "if (c[0] && !c[1] || c == 2) ", "else ", "def f(qubit a) -> bit { return measure a; }",
    "c[0] = f(q[0]);", "return", "&&", "||", "!", "~", "==", "<=", "<<", "true", "popcount(c)", "bool", "!" * 80,
    "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }", "0x1e-3", "2pi", "\ufeff", "#",
]
STATEMENTS = [
    'include "stdgates.inc";', 'include "qelib1.inc";', "qubit[4] q;", "qubit[3] r;", "bit[4] c;",
    "const int n = 3;", "const float a = pi / n;", "input float t;", "let s = q[0:2] ++ r;",
    "gate g(x) a, b { rx(x / 2) a; ctrl @ p(x) a, b; gphase(x); }", "gate k a { h a; t a; }",
    "opaque o a;", "h q;", "cx q, r;", "cx q[0:2], r;", "cx q[0], q[n];", "g(0.3) q[0], r;", "k s;",
    "k q[{0, n, -1}];", "rx(a ** 2 % 3) r[n - 1];", "U(t, -t, sin(t)) q[1];", "o q[0];", "k k;",
    "ctrl @ g(t) q[0], q[1], q[2];", "negctrl(2) @ inv @ k q[0], q[1], r[0];", "gphase(t);",
    "pow(-3) @ g(1) q[3], r[1];", "pow(0.5) @ x q[2];", "pow(t) @ x q[2];", "pow(0.5) @ k q;",
    "for int i in [0:1] input float z;", "for int i in [0:n] { ry(i) q[i]; }", "for int i in {2, 0} cx q[i], r[i];", "barrier q, r;",
    "for int i in [n:-1:0] for int j in [i:n] { rz(1 / i) q[j]; }", "measure q -> c;", "reset q;",
    "c = measure q;", "c[0] = measure q[0];", "measure r -> c;", "if (c == 1) x q;", "U(1,2) q;",
    "bit[2] d = \"01\";", "reset r;", "\n@note of anything\n", "pow(0.37) @ g(0.3) q[0], q[1];",
    "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }", "rzz(0.2) q[0], r[0];", "n = 4;",
    "gate cx a, b { CX b, a; }", "pow(0.37) @ ctrl @ k q[0], q[1];", "gate inv a { x a; }",
    "c[1] = measure q[1];", "c[2] = c[0] ^ !c[1];", "c ^= 5;", "if (c[0]) { x q[1]; c[3] = 1; } else h r;",
    "def f(qubit a, bit b) -> bit { if (b) x a; return measure a; }", "c[0] = f(q[0], c[1]);", "f(r[0], 1);",
    "for int i in [0:3] { if (c == i) reset q[i]; }", "if (c < 3 || c >> 1 == 2) rx(t) q[0];", "if (d == 0) s;",
    "if (c) if (d) x q[0]; else z q[0];", "d = c;", "bool e = c[0] && d == 1;", "reset q[0];", "rx(c) q;",
    "rx(1/0) q;", "rx(ln(0)) q;", "rx(1e308 * 10) q;", "x q[9];", "x q[0.5];", "x q[t];", "cx q;",
]


def program(choices):
    """Statements in any order."""
    return "\n".join(STATEMENTS[choice % len(STATEMENTS)] for choice in choices)
# fmt: on


def mutate(program, edits):
    """Apply edits `(kind, where, what)` of whole numbers to a program's tokens."""
    tokens = TOKEN.findall(list(PROGRAMS.values())[program % len(PROGRAMS)])
    for kind, where, what in edits:
        at = where % (len(tokens) + 1)
        if kind % 5 == 0:
            tokens[at : at + 1] = []
        elif kind % 5 == 1:
            tokens[at : at + 1] = [VOCABULARY[what % len(VOCABULARY)]]
        elif kind % 5 == 2:
            tokens[at:at] = [f" {VOCABULARY[what % len(VOCABULARY)]} "]
        elif kind % 5 == 3:
            tokens[at:at] = tokens[what % (len(tokens) + 1) :][:12]
        else:
            del tokens[at:]
    return "".join(tokens)
