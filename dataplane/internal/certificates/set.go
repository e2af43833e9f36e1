package certificates

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/proto/id"
)

// Set is the certificates of a revision. It is immutable and safe for concurrent use; a nil Set is empty.
type Set struct {
	all       []*Certificate
	byID      map[id.ID]*Certificate
	hosts     map[string]*Certificate
	wildcards map[string]*Certificate // by what is behind the asterisk: ".example.com"
	standard  *Certificate
}

// NewSet returns a set. Two certificates for one host, or two defaults, are an error.
func NewSet(all []*Certificate) (*Set, error) {
	s := &Set{
		all: all, byID: make(map[id.ID]*Certificate, len(all)),
		hosts: make(map[string]*Certificate), wildcards: make(map[string]*Certificate),
	}
	for _, c := range all {
		s.byID[c.ID] = c
		for _, host := range c.hosts {
			table, key := s.hosts, host
			if behind, ok := strings.CutPrefix(host, "*"); ok {
				table, key = s.wildcards, behind
			}
			if other, taken := table[key]; taken {
				return nil, fmt.Errorf("the host %s has two certificates, %q and %q", host, other.Name, c.Name)
			}
			table[key] = c
		}
		if !c.standard {
			continue
		}
		if s.standard != nil {
			return nil, fmt.Errorf("there are two default certificates, %q and %q", s.standard.Name, c.Name)
		}
		s.standard = c
	}
	return s, nil
}

// For returns the certificate of a host as a client names it (RFC 6066, section 3); "": it names none. Nil: there is none for it.
func (s *Set) For(host string) *Certificate {
	if s == nil {
		return nil
	}
	host = strings.ToLower(host)
	if c, ok := s.hosts[host]; ok {
		return c
	}
	// A wildcard stands for exactly one label.
	if dot := strings.IndexByte(host, '.'); dot > 0 {
		if c, ok := s.wildcards[host[dot:]]; ok {
			return c
		}
	}
	return s.standard
}

// All returns the certificates, in no order. The slice must not be changed.
func (s *Set) All() []*Certificate {
	if s == nil {
		return nil
	}
	return s.all
}

func (s *Set) get(self id.ID) *Certificate {
	if s == nil {
		return nil
	}
	return s.byID[self]
}
