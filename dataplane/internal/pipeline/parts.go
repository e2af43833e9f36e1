package pipeline

import (
	"fmt"
	"runtime"
	"sync"
	"weak"
)

// Parts finds again what stages were made of before: engines, tables of counters. It holds a part only weakly: as long
// as a stage that anybody can still reach has it, a compile with the same key gets the same part; after that the garbage
// collector takes it. Nothing counts references, least of all a request.
//
// It is safe for concurrent use. The zero value is ready.
type Parts struct {
	mu    sync.Mutex
	known map[partKey]any // weakPart[T]
}

type partKey struct{ sort, content string }

// Part returns the part of a sort ("rate-limit/table") whose content is described by content (a hash, or the settings
// themselves), made by create unless there is one. One sort has one type.
func Part[T any](p *Parts, sort, content string, create func() (*T, error)) (*T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := partKey{sort: sort, content: content}
	if known, ok := p.known[key].(weakPart[T]); ok {
		if part := known.Value(); part != nil {
			return part, nil
		}
	}
	part, err := create()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sort, err)
	}
	if p.known == nil {
		p.known = map[partKey]any{}
	}
	p.known[key] = weakPart[T]{weak.Make(part)}
	runtime.AddCleanup(part, p.forget, key)
	return part, nil
}

// Find returns the part of a sort and content that is alive; nil: there is none.
func Find[T any](p *Parts, sort, content string) *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, _ := p.known[partKey{sort: sort, content: content}].(weakPart[T])
	return known.Value()
}

// Len returns the number of parts that are alive, or were until lately.
func (p *Parts) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.known)
}

// forget drops a dead part's key, unless a new part has taken it since.
func (p *Parts) forget(key partKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.known[key].(interface{ dead() bool }); ok && known.dead() {
		delete(p.known, key)
	}
}

type weakPart[T any] struct{ weak.Pointer[T] }

func (w weakPart[T]) dead() bool { return w.Value() == nil }
