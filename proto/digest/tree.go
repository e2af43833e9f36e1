package digest

import "math/bits"

// Tree holds a lane's bucket sums and the two levels above them. The zero value is that of an empty
// lane. Setting a bucket is cheap; Head then hashes only the groups that changed, and the head.
//
// A Tree is not safe for concurrent use, but each clone may have a goroutine of its own.
type Tree struct {
	groups [Groups]*treeGroup // nil: no entries
	dirty  uint64             // bit per group whose sum is stale; such a group is always our own
	head   Sum                // zero: stale
	own    *stamp
}

// treeGroup is shared among clones once its tree's stamp has moved on, and then never written.
type treeGroup struct {
	own  *stamp
	sums [BucketsInGroup]Sum
	sum  Sum
}

// stamp tells by its address who may write a part in place. Clone gives both sides new ones, which
// at once makes every part shared.
type stamp struct{ _ byte }

// Bucket returns the sum of a bucket.
func (t *Tree) Bucket(bucket uint16) Sum {
	if g := t.groups[bucket/BucketsInGroup]; g != nil {
		return g.sums[bucket%BucketsInGroup]
	}
	return Sum{}
}

// Set gives a bucket its sum. It panics when bucket is not below Buckets.
func (t *Tree) Set(bucket uint16, sum Sum) {
	if t.Bucket(bucket) == sum {
		return
	}
	at := bucket / BucketsInGroup
	t.writable(at).sums[bucket%BucketsInGroup] = sum
	t.dirty |= 1 << at
	t.head = Sum{}
}

// Head returns the sum of the whole.
func (t *Tree) Head() Sum {
	if !t.head.IsZero() {
		return t.head
	}
	for ; t.dirty != 0; t.dirty &= t.dirty - 1 {
		g := t.groups[bits.TrailingZeros64(t.dirty)]
		g.sum = sumOfSums(&g.sums)
	}
	var sums [Groups]Sum
	for i, g := range &t.groups {
		sums[i] = emptyGroup
		if g != nil {
			sums[i] = g.sum
		}
	}
	t.head = sumOfSums(&sums)
	return t.head
}

// Clone returns a tree equal to this one. Both can then be changed, neither sees the other's
// changes: a candidate is computed aside, and kept or dropped. It copies half a kilobyte; a group
// is copied when it is first written.
func (t *Tree) Clone() *Tree {
	t.Head() // a stale group is written by Head, so none may be shared
	clone := *t
	clone.own, t.own = new(stamp), new(stamp)
	return &clone
}

// writable returns the group to write to, a copy of our own if it is shared.
func (t *Tree) writable(at uint16) *treeGroup {
	if t.own == nil {
		t.own = new(stamp)
	}
	g := t.groups[at]
	if g != nil && g.own == t.own {
		return g
	}
	own := &treeGroup{sum: emptyGroup}
	if g != nil {
		*own = *g
	}
	own.own = t.own
	t.groups[at] = own
	return own
}
