// order finding of 7 modulo 15 with one control qubit, three bits, and a phase error in the last
OPENQASM 2.0;
include "qelib1.inc";
qreg w[4];
qreg c[1];
creg m[3];
creg r[4];
gate cmul4 c,a,b,d,e { cswap c,a,d; cswap c,b,e; }
gate cmul7 c,a,b,d,e { cswap c,a,b; cswap c,b,d; cswap c,d,e; cx c,a; cx c,b; cx c,d; cx c,e; }
x w[0];
h c[0];
h c[0];
measure c[0] -> m[0];
reset c[0];
h c[0];
cmul4 c[0],w[0],w[1],w[2],w[3];
if(m==1) u1(-pi/2) c[0];
h c[0];
measure c[0] -> m[1];
reset c[0];
h c[0];
cmul7 c[0],w[0],w[1],w[2],w[3];
u1(0.5) c[0];
if(m==1) u1(-pi/4) c[0];
if(m==2) u1(-pi/2) c[0];
if(m==3) u1(-3*pi/4) c[0];
h c[0];
measure c[0] -> m[2];
measure w -> r;
