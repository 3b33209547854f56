OPENQASM 3.0;
include "stdgates.inc";
const int n = 4;
const float theta = 3 * pi / 8 + 0.05;
qubit control;
qubit target;
bit[n] c;
x target;
for int i in [0:n - 1] {
  reset control;
  h control;
  pow(2 ** (n - 1 - i)) @ cp(theta) control, target;
  for int j in [0:i - 1] {
    if (c[j]) p(-pi / 2 ** (i - j)) control;
  }
  h control;
  c[i] = measure control;
}
