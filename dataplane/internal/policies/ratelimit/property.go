package ratelimit

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// property is what callers are told apart by.
type property struct {
	is   what
	name string // of the header
}

// what doubles as the mark in front of a part of a key, so that no address is taken for a consumer.
type what byte

const (
	address  what = 'a'
	key      what = 'k'
	token    what = 't' // key of who shows a token
	consumer what = 'c'
	route    what = 'r'
	header   what = 'h'
	lacking  what = 'l' // a header that isn't there
)

// maxProperties is the contract's, and fits the key's buffer.
const maxProperties = 4

// partBytes is the size of one part of a key: its mark and 16 bytes.
const partBytes = 17

var errBy = errors.New("by: 1 to 4 properties are possible")

func newProperties(by []*policyv1.CountBy) ([]property, error) {
	if len(by) == 0 || len(by) > maxProperties {
		return nil, errBy
	}
	properties := make([]property, len(by))
	for i, b := range by {
		switch p := b.GetProperty().(type) {
		case *policyv1.CountBy_Address:
			properties[i].is = address
		case *policyv1.CountBy_Key:
			properties[i].is = key
		case *policyv1.CountBy_Consumer:
			properties[i].is = consumer
		case *policyv1.CountBy_Route:
			properties[i].is = route
		case *policyv1.CountBy_Header:
			properties[i] = property{is: header, name: p.Header}
		default:
			return nil, fmt.Errorf("by[%d]: no property", i)
		}
	}
	return properties, nil
}

// key returns the caller's key: a hash of one part per property.
func (s *stage) key(ex *pipeline.Exchange, h *limiter.Hasher) limiter.Key {
	var memory [maxProperties * partBytes]byte
	b := memory[:0]
	for i := range s.by {
		b = s.by[i].append(b, ex, h)
	}
	return h.Bytes(b)
}

func (p *property) append(b []byte, ex *pipeline.Exchange, h *limiter.Hasher) []byte {
	who := ex.Caller()
	switch {
	case p.is == key && who.Known() && who.Token != nil:
		return appendToken(b, who.Token, h)
	case p.is == key && who.Known():
		b = append(b, byte(key))
		return append(b, who.Credential[:]...)
	case p.is == consumer && who.Known():
		b = append(b, byte(consumer))
		return append(b, who.Consumer.ID[:]...)
	case p.is == route:
		b = append(b, byte(route))
		return append(b, ex.Route.ID[:]...)
	case p.is == header:
		return appendHeader(b, p.name, ex, h)
	}
	b = append(b, byte(address))
	network := networkOf(ex.Client.Address)
	return append(b, network[:]...)
}

// networkOf returns an address as 16 bytes: IPv4 whole, IPv6 its /64, which is what one subscriber has.
func networkOf(a netip.Addr) [16]byte {
	bytes := a.As16()
	if !a.Is4() && !a.Is4In6() {
		clear(bytes[8:])
	}
	return bytes
}

// appendHeader appends a hash of all values of a header, in their order.
func appendHeader(b []byte, name string, ex *pipeline.Exchange, h *limiter.Hasher) []byte {
	var sum limiter.Key
	values := 0
	for _, f := range ex.Request.Header.Fields() {
		if !pipeline.EqualFold(f.Name, name) {
			continue
		}
		value := h.String(f.Value)
		if values++; values > 1 {
			var both [32]byte
			value = h.Bytes(value.Append(sum.Append(both[:0])))
		}
		sum = value
	}
	if values == 0 {
		b = append(b, byte(lacking))
		return limiter.Key{}.Append(b)
	}
	b = append(b, byte(header))
	return sum.Append(b)
}

// appendToken counts tokens together that an issuer gave to one subject: each token by itself would be a way around a limit. Without a subject it
// counts those of the issuer.
func appendToken(b []byte, t *directory.Token, h *limiter.Hasher) []byte {
	var both [32]byte
	subject := h.String(t.Subject)
	b = append(b, byte(token))
	return h.Bytes(subject.Append(append(both[:0], t.Issuer[:]...))).Append(b)
}
