// repeat until success, three rounds at most: a rotation by an ancilla, undone where it failed
OPENQASM 3.0;
include "stdgates.inc";
qubit data;
qubit anc;
bit done;
bit flag;
bit out;
ry(0.6) data;
for uint turn in [1:3] {
  if (!done) {
    h anc;
    t anc;
    cx anc, data;
    h anc;
  }
  flag = measure anc;
  if (flag && !done) { x data; }
  if (flag == 0) done = true;
  reset anc;
}
h data;
out = measure data;
