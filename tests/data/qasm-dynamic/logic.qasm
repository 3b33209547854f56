// conditions of all kinds, on bits of three registers
OPENQASM 3.0;
include "stdgates.inc";
const int k = 2;
def first(bit[3] v) -> bit { return v[0]; }
qubit[5] q;
bit[3] a;
bit[2] b = "10";
bool flag = false;
bit[3] seen;
ry(0.8) q[0]; ry(1.1) q[1]; ry(1.7) q[2];
a = measure q[0:2];
if (a == 5 || a == k) x q[3];
else if (a[0] && !a[1]) h q[3];
else { ry(0.3) q[3]; if (a[2] ^ a[1] ^ a[0]) s q[3]; }
if (uint[3](a) >= 3 && a != "111") { h q[4]; b[0] = first(a); }
flag = popcount(a) > 1;
if (flag) ry(0.6) q[4];
if (b << 1 == a[0:1]) rx(0.2) q[3];
if ((a & "011") + 2 * k < 6) z q[3];
h q[3];
seen[0] = measure q[3];
seen[1] = measure q[4];
seen[2] ^= seen[0] | seen[1];
seen ^= a;
