// Bernstein and Vazirani with one qubit that is used again, each bit measured into one register
OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[3];
creg d[1];
x q[1]; h q[1];
h q[0]; cx q[0],q[1]; h q[0]; measure q[0] -> c[0]; reset q[0];
h q[0]; h q[0]; measure q[0] -> c[1]; reset q[0];
h q[0]; cx q[0],q[1]; rz(0.3) q[0]; h q[0]; measure q[0] -> c[2];
h q[1];
if(c==5) x q[1];
measure q[1] -> d[0];
