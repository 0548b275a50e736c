"""Retrieval (prototype)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
import numpy as np
from sklearn.neighbors import NearestNeighbors
from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Content, Mel
from voxrelay.workers.runtime.model import Clip, Target


def _stack(x, c):
    p = np.pad(x, ((c, c), (0, 0)), mode="edge")
    return np.concatenate([p[i : i + len(x)] for i in range(2 * c + 1)], 1)


class Index:
    def __init__(self, clips, c, k, metric, ridge, fine):
        self.metric = metric
        f = np.concatenate([_stack(np.asarray(x.content.data, np.float32), c) for x in clips])
        self.scale = np.sqrt(2 * f.var(0).sum())
        self.nn = NearestNeighbors(n_neighbors=min(k, len(f)), algorithm="brute").fit(f)
        n = [len(x.content.data) for x in clips]
        m = [len(x.mel.data) for x in clips]
        self.mel = np.concatenate([x.mel.data for x in clips])
        self.start = np.repeat(np.cumsum([0] + m[:-1]), n)
        self.end = np.repeat(np.cumsum(m) - 1, n)
        self.local = np.concatenate([np.arange(a) for a in n])
        self.next = np.arange(len(f)) + 1
        self.next[np.cumsum(n) - 1] -= 1
        self.prev = np.arange(len(f)) - 1
        self.prev[np.cumsum(n) - np.array(n)] += 1
        self.atc = self.read(np.arange(len(f)), 0.0)
        raw = np.concatenate([np.asarray(x.content.data, np.float32) for x in clips])
        self.raw = raw
        fc = raw - raw.mean(0)
        mc = self.atc - self.atc.mean(0)
        g = fc.T @ fc
        self.W = np.linalg.solve(g + ridge * np.trace(g) / len(g) * np.eye(len(g)), fc.T @ mc).astype(np.float32)
        if fine:
            self.atc = self.atc - fc @ self.W
        self.atc = self.atc / np.sqrt(2 * self.atc.var(0).sum())

    def read(self, frames, offset):
        q = self.local[frames] + offset
        pos = np.clip(((q + 0.5) * 441 - 128) / 256 + self.start[frames], self.start[frames], self.end[frames])
        lo = np.minimum(pos.astype(int), self.end[frames] - 0)
        hi = np.minimum(lo + 1, self.end[frames])
        w = (pos - lo)[:, None].astype(np.float32)
        return self.mel[lo] * (1 - w) + self.mel[hi] * w


@dataclass
class Retrieval:
    neighbours: int = 20
    join_cost: float = 1.0
    context: int = 2
    fade: float = 1.0
    jump: float = 0.0
    metric: str = "l2"
    both: bool = False
    average: int = 1
    residual: float = 0.0
    ridge: float = 0.01
    fine: bool = False
    rfade: float = 1
    cache: object = None

    def convert(self, contents, targets):
        return [self.one(c, t) for c, t in zip(contents, targets)]

    def index(self, t):
        self.cache = self.cache or {}
        if t.id not in self.cache:
            self.cache[t.id] = Index(t.clips(), self.context, self.neighbours, self.metric, self.ridge, self.fine)
        return self.cache[t.id]

    def path(self, content, ix):
        d, cand = ix.nn.kneighbors(_stack(np.asarray(content.data, np.float32), self.context))
        d /= ix.scale
        cost = d[0]
        back = []
        for t in range(1, len(d)):
            a, b = cand[t - 1], cand[t]

            def dist(u, v):
                return np.sqrt(np.maximum((u**2).sum(1)[:, None] + (v**2).sum(1) - 2 * u @ v.T, 0))

            j = dist(ix.atc[ix.next[a]], ix.atc[b])
            if self.both:
                j = (j + dist(ix.atc[a], ix.atc[ix.prev[b]])) / 2
            j = j + self.jump
            j[ix.next[a][:, None] == b] = 0
            tot = cost[:, None] + self.join_cost * j
            back.append(tot.argmin(0))
            cost = tot.min(0) + d[t]
        k = [int(cost.argmin())]
        for bk in back[::-1]:
            k.append(int(bk[k[-1]]))
        return cand[np.arange(len(d)), k[::-1]], cand, d

    def one(self, content, target):
        ix = self.index(target)
        path, cand, d = self.path(content, ix)
        self.last = path
        n = len(path)
        m = np.arange(clock.mel_frames(n))
        p = (256 * m + 128) / 441 - 0.5
        out = 0
        tot = 0
        raw = np.asarray(content.data, np.float32)
        H = int(np.ceil(self.fade))
        c0 = np.floor(p).astype(int)
        for k in range(-H + 1, H + 1):
            i = c0 + k
            w = np.clip(1 - np.abs(p - i) / self.fade, 0, None)[:, None]
            ii = np.clip(i, 0, n - 1)
            for a in range(self.average):
                f = path[ii] if a == 0 else cand[ii, a]
                out = out + w * (ix.read(f, p - ii) + self.residual * (raw[ii] - ix.raw[f]) @ ix.W)
                tot = tot + w
        return Mel((out / tot).astype(np.float32))


def load(**kw):
    return Retrieval(**kw)
