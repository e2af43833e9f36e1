package directory

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// maxFleet bounds how many nodes can share a limit; nodes know the same bound.
const maxFleet = 1 << 14

// FleetKey is the key of the one entry that says who is in an environment's fleet.
func FleetKey() digest.Key { return digest.KeyOf(Fleets, "fleet") }

// Fleet makes the entry that says that these nodes, by id, are in the fleet.
func Fleet(nodes []string) (Entry, error) {
	if len(nodes) > maxFleet {
		return Entry{}, fmt.Errorf("%d nodes are too many to share a limit: at most %d", len(nodes), maxFleet)
	}
	fleet := &directoryv1.Fleet{}
	for _, text := range nodes {
		node, err := id.Parse(id.Node, text)
		if err != nil {
			return Entry{}, fmt.Errorf("node %q: %w", text, err)
		}
		fleet.Nodes = append(fleet.Nodes, node[:])
	}
	slices.SortFunc(fleet.Nodes, bytes.Compare)
	return open(FleetKey(), &directoryv1.Entry{Body: &directoryv1.Entry_Fleet{Fleet: fleet}})
}
