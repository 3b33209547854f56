// a bit is read, measured again and read again; copies keep what it was
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit c;
bit old;
bit[2] both;
ry(0.9) q[0];
c = measure q[0];
if (c) ry(0.7) q[1];
old = c;
both[0] = c;
h q[0];
if (c) {
  rx(0.5) q[2];
  c = 0;
  ry(0.2) q[2];
}
if (c) x q[1];
c = measure q[0];
if (c) ry(1.3) q[1]; else rx(0.4) q[2];
if (old ^ c) cx q[1], q[2];
both[1] = c & ~old;
c = measure q[1];
