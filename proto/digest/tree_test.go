package digest

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// treeFromScratch hashes every level anew.
func treeFromScratch(sums *[Buckets]Sum) Sum {
	var groups []byte
	for g := range Groups {
		var flat []byte
		for b := range BucketsInGroup {
			flat = append(flat, sums[g*BucketsInGroup+b][:]...)
		}
		sum := sha256.Sum256(flat)
		groups = append(groups, sum[:]...)
	}
	return sha256.Sum256(groups)
}

func TestTreeHeadIsTheHeadFromScratch(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	var tree Tree
	var sums [Buckets]Sum
	if tree.Head() != treeFromScratch(&sums) {
		t.Fatal("the empty tree has another head")
	}
	for range 60 {
		candidate := tree.Clone()
		before := tree.Head()
		aside := sums
		for range 1 + random.IntN(20) {
			bucket := uint16(random.IntN(Buckets))
			sum := Sum{byte(random.IntN(3))}
			candidate.Set(bucket, sum)
			aside[bucket] = sum
			if candidate.Bucket(bucket) != sum {
				t.Fatal("Bucket doesn't give what was set")
			}
		}
		if candidate.Head() != treeFromScratch(&aside) {
			t.Fatal("the candidate has another head")
		}
		if tree.Head() != before {
			t.Fatal("the candidate changed its origin")
		}
		if random.IntN(2) == 0 { // kept; else dropped
			tree, sums = *candidate, aside
		}
	}
}

func TestTreeRefusesABucketThatIsNone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	new(Tree).Set(Buckets, Sum{1})
}
