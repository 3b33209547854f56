"""Programs in OpenQASM that use the vocabulary of public collections, all of it."""

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; '
HEADER_2 = 'OPENQASM 2.0; include "qelib1.inc"; '

TELEPORT_LIKE = """
// several registers, broadcasting, measurements at the end
OPENQASM 2.0;
include "qelib1.inc";
qreg a[1]; qreg b[2];
creg c0[1];
creg c1[2];
u3(0.3,0.2,0.1) a[0];
h b;            // both
cx b[0],b[1]; barrier a,b;
cx a[0],b; rz(-3*pi/4) b[1];
measure a[0] -> c0[0]; measure b -> c1;
"""

USER_GATES = """OPENQASM 2.0; include "qelib1.inc";
// comments // in odd
gate majority a,b,c // places
{ // body
  cx c,b; cx // here
  c,a; ccx a,b,c;
}
gate unmaj a,b,c { ccx a,b,c; cx c,a; cx a,b; }
gate turn(alpha, beta) q { u2(alpha, beta/2+pi) q; u1(-(alpha - beta)^2) q; barrier q; }
gate idle q {}
qreg cin[1]; qreg a[2]; qreg b[2]; qreg cout[1]; creg ans[3];
x a[0]; h a[1]; h b; turn(0.3, -1e-1) cin[0];
majority cin[0],b[0],a[0]; majority a[0],b[1],a[1];
cx a[1],cout[0]; idle a;
unmaj a[0],b[1],a[1]; unmaj cin[0],b[0],a[0];
measure b[0] -> ans[0];
measure b[1] -> ans[1];measure cout[0]->ans[2];
"""

ALL_OF_2 = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[5];
U(0.1,0.2,0.3) q[0]; CX q[0],q[1]; h q; u0(1) q[2];
x q[0]; y q[1]; z q[2]; s q[0]; sdg q[1]; t q[2]; tdg q[3]; id q[4];
rx(sin(pi/3)) q[0]; ry(cos(.5)) q[1]; rz(tan(0.2)) q[2]; u1(exp(-1)) q[3]; u2(ln(2),sqrt(2)) q[4];
cz q[0],q[1]; cy q[1],q[2]; ch q[2],q[3]; ccx q[0],q[2],q[4]; crz(0.7) q[3],q[0];
cu1(-pi/8) q[1],q[4]; cu3(0.4,-0.5,0.6) q[2],q[0]; u(1,2,3) q[1]; p(2*-0.3) q[2];
swap q[0],q[3]; cswap q[0],q[1],q[2]; crx(0.3) q[1],q[2]; cry(-0.4) q[3],q[4]; cp(0.2) q[4],q[0];
sx q[0]; sxdg q[1]; csx q[0],q[1]; cu(0.1,0.2,0.3,0.4) q[3],q[1]; rxx(0.5) q[0],q[4];
rzz(-0.6) q[1],q[3]; rccx q[0],q[1],q[2]; rc3x q[0],q[1],q[2],q[3]; c3x q[1],q[2],q[3],q[4];
c3sqrtx q[0],q[2],q[3],q[4]; c4x q[0],q[1],q[2],q[3],q[4];
"""

FOURIER = """OPENQASM 2.0;
include "qelib1.inc";
gate fourier q0,q1,q2 {
 h q0; cu1(pi/2) q1,q0; h q1; cu1(pi/4) q2,q0; cu1(pi/2) q2,q1; h q2; swap q0,q2;
}
qreg q[4]; creg m[4];
x q[3];ry(1.0E-1+2*(3-1)/4) q[0];
fourier q[3],q[1],q[0];
cswap q[0],q[1],q[2];
measure q -> m;
"""

MODIFIERS = """/* a comment
   of two lines /* */
OPENQASM 3.0;
include "stdgates.inc"; /**/
gate pair(θ) a, b { gphase(θ / 3); ry(θ) a; ctrl @ sx a, b; p(π / 5) b; }
qubit[4] q;
bit[4] out;
h q;
ctrl @ pair(0.7) q[0], q[1], q[2];
negctrl @ pair(-0.2) q[3], q[1], q[0];
inv @ pair(1.1) q[2], q[3];
inv @ ctrl @ pair(0.4) q[1], q[2], q[3];
pow(3) @ pair(0.3) q[0], q[2];
pow(-2) @ s q[1];
pow(0.5) @ cx q[0], q[1];
pow(1/2.0) @ rx(0.9) q[2];
ctrl(2) @ z q[0], q[1], q[3];
negctrl(2) @ ctrl @ x q[0], q[1], q[2], q[3];
ctrl @ gphase(0.8) q[2];
ctrl @ ctrl @ gphase(-0.3) q[0], q[1];
gphase(0.25);
cu(0.1, 0.2, 0.3, 0.4) q[0], q[1];
u2(0.1, 0.2) q[2]; u3(0.3, 0.4, 0.5) q[3]; phase(0.2) q[0]; cphase(-0.4) q[1], q[0];
ctrl @ u3(0.3, 0.4, 0.5) q[3], q[0];
out = measure q;
"""

LOOPS = """OPENQASM 3.0;
include "stdgates.inc";
const int n = 2 + 2;
const float[64] step = pi / n;
qubit[n] q;
let ends = q[0] ++ q[{-1}];
for uint i in [0:n - 1] { ry(step * i) q[i]; }
for int i in [n - 2:-1:0] cx q[i], q[i + 1];
for int i in {0, 2} { for int j in [0:1] { rz(step ** (i + j) - 5 % 3 + 7 / 2) q[i + j]; } }
x ends;
crx(arctan(1.0)) q[0:1], q[2:3];
barrier;
measure q;
"""

OF_2 = {"several registers": TELEPORT_LIKE, "user gates": USER_GATES, "all gates": ALL_OF_2,
        "fourier": FOURIER}  # fmt: skip
OF_3 = {"modifiers": MODIFIERS, "loops": LOOPS}
PROGRAMS = OF_2 | OF_3
