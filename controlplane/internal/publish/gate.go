package publish

import "context"

// How many writers of one environment may hold a connection at the same time. They wait for each other in
// the database; without a bound, those who wait for one long batch would hold every connection, and with
// them readers, nodes and every other environment would stand still.
const (
	configurationWriters = 2 // one that writes, and one that already waits for the environment's row
	directoryWriters     = 6
)

// gate is what the writers of one environment pass before they ask for a connection. Nobody who holds one
// waits here.
type gate struct {
	configuration, directory chan struct{}
}

func newGate() *gate {
	return &gate{configuration: make(chan struct{}, configurationWriters), directory: make(chan struct{}, directoryWriters)}
}

// enter waits for a place, and returns what gives it back.
func (p *Publisher) enter(ctx context.Context, environment string, configuration bool) (leave func(), err error) {
	found, ok := p.gates.Load(environment)
	if !ok {
		found, _ = p.gates.LoadOrStore(environment, newGate())
	}
	places := found.(*gate).directory
	if configuration {
		places = found.(*gate).configuration
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
