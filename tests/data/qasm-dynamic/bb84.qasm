// two rounds of BB84 with random bits of its own, an eavesdropper in the second
OPENQASM 3.0;
include "stdgates.inc";
gate bit_flipper a { rx(0.7) a; }
qubit coin;
qubit photon;
bit[2] value; bit[2] alice; bit[2] bob; bit[2] found; bit[2] agree; bit[2] wrong;
for int i in [0:1] {
  h coin; value[i] = measure coin; if (value[i]) x coin;
  h coin; alice[i] = measure coin; if (alice[i]) x coin;
  if (value[i]) x photon;
  if (alice[i]) h photon;
  if (i == 1) { bit_flipper photon; }
  h coin; bob[i] = measure coin; if (bob[i]) x coin;
  if (bob[i] == 1) h photon;
  found[i] = measure photon;
  reset photon;
  agree[i] = !(alice[i] ^ bob[i]);
  wrong[i] = agree[i] && (found[i] != value[i]);
}
