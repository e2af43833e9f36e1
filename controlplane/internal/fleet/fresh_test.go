package fleet_test

import "testing"

// A node decides by its first state as soon as it has it: in a kept snapshot of a moment ago, a key may live that was
// revoked since.
func TestNodeWithNothingGetsNoOlderStateThanTheHead(t *testing.T) {
	b := newBench(t)
	b.store.PutEntry("key", []byte("1"))
	lane, first := b.open(directory), b.replica(directory)
	b.take(b.mustGreet(lane, first), first) // a snapshot in which the key lives is kept
	b.awaitHead(lane, b.store.PutEntry("key", nil))

	second := b.replica(directory)
	if step := b.take(b.mustGreet(lane, second), second); step.Snapshot == nil || second.Number != 2 || len(second.Entries) != 0 {
		t.Errorf("the node's first state is number %d with %d entries, the head is 2 with none", second.Number, len(second.Entries))
	}
}
