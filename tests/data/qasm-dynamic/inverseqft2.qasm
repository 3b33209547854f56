// QFT and measure, version 2: one register, which is read while it is partly written
OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[3];
ry(0.7) q; u1(0.9) q[1]; cx q[0],q[2]; ry(1.1) q[2]; u1(-0.3) q[2];
h q[0];
measure q[0] -> c[0];
if(c==1) u1(pi/2) q[1];
h q[1];
measure q[1] -> c[1];
if(c==1) u1(pi/4) q[2];
if(c==2) u1(pi/2) q[2];
if(c==3) u1(pi/2+pi/4) q[2];
h q[2];
measure q[2] -> c[2];
