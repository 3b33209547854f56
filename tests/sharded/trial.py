import numpy as np, torch, torch.distributed as dist
import quilt_func as qf
from quilt_func import sharded
from quilt_func._collectives import Ranks, summed, copied
from torch.distributed.device_mesh import init_device_mesh
from torch.func import grad, vmap, jvp, hessian, jacfwd, jacrev

def full(state):
    """gather"""
    lay=state.layout; n=lay.n_qubits; R=lay.ranks
    out=torch.zeros(R.n, state.local.shape[-1], dtype=state.local.dtype)
    onehot=torch.zeros(R.n,1,dtype=state.local.dtype); onehot[R.rank]=1
    out=summed(R, onehot*state.local[None]) 
    order=lay.order
    inv=tuple(sorted(range(n), key=order.__getitem__))
    return out.reshape((2,)*n).permute(inv).reshape(-1)

MESH={}
def mesh():
    n=dist.get_world_size()
    if n not in MESH: MESH[n]=init_device_mesh("cpu",(n,))
    return MESH[n]

def make(n, depth, seed, p):
    g=torch.Generator().manual_seed(seed); rng=np.random.default_rng(seed)
    ops=[]; k=0
    rows=[qf.rx,qf.ry,qf.rz,qf.h,qf.x,qf.s,qf.cx,qf.cz,qf.crx,qf.crz,qf.rzz,qf.rxx,qf.swap,qf.ccx,qf.u,qf.cp,qf.t,qf.ccz, qf.controlled(qf.ccx), qf.controlled(qf.u)]
    for _ in range(depth):
        row=rows[rng.integers(len(rows))]
        if row.n_wires>n: continue
        w=[int(i) for i in rng.permutation(n)[:row.n_wires]]
        ps=[p[(k+i)%len(p)]*(1+0.1*k) for i in range(row.n_params)]; k+=row.n_params
        ops.append(row(*ps,*w))
    ops.append(qf.ry(p[:n] if len(p)>=n else p[0], range(n)))
    ops.append(qf.rzz(p[0], [(i,i+1) for i in range(n-1)]))
    return qf.circuit(n, ops)

def check(n, depth, seed):
    torch.manual_seed(0)
    p=torch.rand(n+3,dtype=torch.float64)
    w=torch.rand(2**n,dtype=torch.float64)
    def one(p): return (make(n,depth,seed,p)().abs()**2 @ w)
    def many(p):
        s=sharded.run_sharded(make(n,depth,seed,p),mesh=mesh())
        return (full(s).abs()**2 @ w)
    R=Ranks(dist.get_world_size(), dist.get_rank())
    def own(p):  # local loss
        s=sharded.run_sharded(make(n,depth,seed,p),mesh=mesh())
        R=s.layout.ranks
        lay=s.layout
        inv=tuple(sorted(range(n), key=lay.order.__getitem__))
        wl=w.reshape((2,)*n).permute(lay.order).reshape(R.n,-1)[R.rank]
        return summed(R,(s.local.abs()**2)@wl)
    err=[abs(one(p)-own(p)).item()]
    err.append((grad(one)(p)-grad(own)(p)).abs().max().item())
    err.append((vmap(grad(one))(torch.stack([p,p+.1]))-vmap(grad(own))(torch.stack([p,p+.1]))).abs().max().item())
    v=torch.rand_like(p)
    err.append((jvp(one,(p,),(v,))[1]-jvp(own,(p,),(v,))[1]).abs().item())
    if n<=7: err.append((hessian(one)(p)-hessian(own)(p)).abs().max().item())
    q=p.clone().requires_grad_(); l=own(q); l.backward(); q2=p.clone().requires_grad_(); one(q2).backward()
    err.append((q.grad-q2.grad).abs().max().item())
    return err
