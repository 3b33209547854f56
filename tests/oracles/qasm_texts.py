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

EXPORTED_2 = """// made by another library
OPENQASM 2.0;
include "qelib1.inc";
gate block q0,q1 { h q0; rzz(0.3) q0,q1; cx q0,q1; }
gate iswap q0,q1 { s q0; s q1; h q0; cx q0,q1; cx q1,q0; h q1; }
gate ecr q0,q1 { s q0; sx q1; cx q0,q1; x q0; }
gate dcx q0,q1 { cx q0,q1; cx q1,q0; }
gate unitary q0 { u(pi/2,-pi/2,pi/2) q0; }
gate cswap_o0 q0,q1,q2 { x q0; cswap q0,q1,q2; x q0; }
gate r(param0,param1) q0 { u(param0,-pi/2 + param1,pi/2 - param1) q0; }
gate ryy(param0) q0,q1 { sxdg q0; sxdg q1; cx q0,q1; rz(param0) q1; cx q0,q1; sx q0; sx q1; }
gate block_dg q0,q1 { cx q0,q1; rzz(-0.3) q0,q1; h q0; }
qreg q[3];
qreg anc[1];
creg meas[3];
reset q[0];
reset q[1];
reset q[2];
h q[0];
block q[0],q[2];
rxx(0.2) q[0],q[1];
iswap q[1],q[2];
ecr q[0],q[1];
dcx q[1],q[2];
cu(0.1,0.2,0.3,0.4) q[0],anc[0];
rccx q[0],q[1],q[2];
sxdg q[1];
p(0.44879857142857144) q[2];
unitary q[0];
cswap_o0 anc[0],q[0],q[1];
u(0.1,0.2,0.3) q[0];
r(0.1,0.4) q[1];
ryy(0.4) q[1],anc[0];
csx q[0],q[1];
block_dg q[1],anc[0];
barrier q[0],q[1],q[2],anc[0];
measure q[0] -> meas[0];
measure q[1] -> meas[1];
measure q[2] -> meas[2];"""

EXPORTED_3 = """OPENQASM 3.0;
include "stdgates.inc";
gate rzz(p0) _gate_q_0, _gate_q_1 {
  cx _gate_q_0, _gate_q_1;
  rz(p0) _gate_q_1;
  cx _gate_q_0, _gate_q_1;
}
gate block _gate_q_0, _gate_q_1 {
  h _gate_q_0;
  rzz(0.3) _gate_q_0, _gate_q_1;
  cx _gate_q_0, _gate_q_1;
}
gate rxx(p0) _gate_q_0, _gate_q_1 {
  h _gate_q_0;
  h _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  rz(p0) _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  h _gate_q_1;
  h _gate_q_0;
}
gate iswap _gate_q_0, _gate_q_1 {
  s _gate_q_0;
  s _gate_q_1;
  h _gate_q_0;
  cx _gate_q_0, _gate_q_1;
  cx _gate_q_1, _gate_q_0;
  h _gate_q_1;
}
gate ecr _gate_q_0, _gate_q_1 {
  s _gate_q_0;
  sx _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  x _gate_q_0;
}
gate dcx _gate_q_0, _gate_q_1 {
  cx _gate_q_0, _gate_q_1;
  cx _gate_q_1, _gate_q_0;
}
gate rccx _gate_q_0, _gate_q_1, _gate_q_2 {
  h _gate_q_2;
  t _gate_q_2;
  cx _gate_q_1, _gate_q_2;
  tdg _gate_q_2;
  cx _gate_q_0, _gate_q_2;
  t _gate_q_2;
  cx _gate_q_1, _gate_q_2;
  tdg _gate_q_2;
  h _gate_q_2;
}
gate sxdg _gate_q_0 {
  s _gate_q_0;
  h _gate_q_0;
  s _gate_q_0;
}
gate unitary _gate_q_0 {
  U(pi/2, -pi/2, pi/2) _gate_q_0;
}
gate cswap_o0 _gate_q_0, _gate_q_1, _gate_q_2 {
  x _gate_q_0;
  cswap _gate_q_0, _gate_q_1, _gate_q_2;
  x _gate_q_0;
}
gate r(p0, p1) _gate_q_0 {
  U(p0, -pi/2 + p1, pi/2 - p1) _gate_q_0;
}
gate ryy(p0) _gate_q_0, _gate_q_1 {
  sxdg _gate_q_0;
  sxdg _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  rz(p0) _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  sx _gate_q_0;
  sx _gate_q_1;
}
gate cs _gate_q_0, _gate_q_1 {
  t _gate_q_0;
  cx _gate_q_0, _gate_q_1;
  tdg _gate_q_1;
  cx _gate_q_0, _gate_q_1;
  t _gate_q_1;
}
gate csx _gate_q_0, _gate_q_1 {
  h _gate_q_1;
  cs _gate_q_0, _gate_q_1;
  h _gate_q_1;
}
gate block_dg _gate_q_0, _gate_q_1 {
  cx _gate_q_0, _gate_q_1;
  rzz(-0.3) _gate_q_0, _gate_q_1;
  h _gate_q_0;
}
bit[3] meas;
qubit[3] q;
qubit[1] anc;
reset q[0];
reset q[1];
reset q[2];
h q[0];
block q[0], q[2];
rxx(0.2) q[0], q[1];
iswap q[1], q[2];
ecr q[0], q[1];
dcx q[1], q[2];
cu(0.1, 0.2, 0.3, 0.4) q[0], anc[0];
rccx q[0], q[1], q[2];
sxdg q[1];
p(0.44879857142857144) q[2];
unitary q[0];
cswap_o0 anc[0], q[0], q[1];
U(0.1, 0.2, 0.3) q[0];
r(0.1, 0.4) q[1];
ryy(0.4) q[1], anc[0];
csx q[0], q[1];
block_dg q[1], anc[0];
barrier q[0], q[1], q[2], anc[0];
meas[0] = measure q[0];
meas[1] = measure q[1];
meas[2] = measure q[2];
"""

COMMENTED_2 = """// Generated from another library, v1.3.0

OPENQASM 2.0;
include "qelib1.inc";


// Qubits: [q(0), q(1), ψ]
qreg q[3];
creg m_result[2];  // Measurement: 'result'


rx(pi*0.5) q[0];

// Gate: CZ**0.5
u3(pi*0.5,0,pi*0.25) q[0]; u3(pi*0.5,pi*1.0,pi*0.75) q[1];
sx q[0]; cx q[0],q[1];
rx(pi*0.25) q[0]; ry(pi/2) q[1]; // π / 2
cx q[1],q[0]; rz(-pi*0.5) q[2];

// Gate: "CCX"; barrier
barrier q[0],q[1],q[2];
ccx q[0],q[1],q[2];
measure q[0] -> m_result[0]; measure q[1] -> m_result[1];
"""

OF_2 = {"several registers": TELEPORT_LIKE, "user gates": USER_GATES, "all gates": ALL_OF_2,
        "fourier": FOURIER, "exported": EXPORTED_2, "commented": COMMENTED_2}  # fmt: skip
OF_3 = {"modifiers": MODIFIERS, "loops": LOOPS, "exported, 3": EXPORTED_3}
PROGRAMS = OF_2 | OF_3
