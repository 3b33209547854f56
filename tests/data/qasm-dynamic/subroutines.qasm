// a parity check, and a correction, by subroutines that are unrolled
OPENQASM 3.0;
include "stdgates.inc";
const float noise = 0.7;
qubit[3] code;
qubit helper;
bit[2] syndrome;
bit[3] out;
bit odd;
def check(qubit first, qubit second, qubit with) -> bit {
  reset with;
  cx first, with;
  cx second, with;
  return measure with;
}
def disturb(qubit[3] all, int turns, float angle) {
  for int i in [0:turns - 1] { rx(angle / 2 ** i + noise * 0) all[i]; }
}
def mend(qubit[3] all, bit[2] s) -> bit {
  bit any = s[0] | s[1];
  if (s == 1) x all[0];
  if (s == 3) x all[1];
  if (s == 2) x all[2];
  return any;
}
ry(0.9) code[0];
cx code[0], code[1];
cx code[0], code[2];
disturb(code, 3, noise);
syndrome[0] = check(code[0], code[1], helper);
syndrome[1] = check(code[1], code[2], helper);
odd = mend(code, syndrome);
if (odd) ry(0.1) helper;
out = measure code;
