package apikey

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// sort is where in a request a place is.
type sort uint8

const (
	header sort = iota + 1
	authorization
	query
	cookie
)

// place is one place in a request where a key may be.
type place struct {
	sort sort
	name string
}

var errNoPlace = errors.New("neither header, query nor cookie")

func newPlace(location *policyv1.KeyLocation) (place, error) {
	switch at := location.GetPlace().(type) {
	case *policyv1.KeyLocation_Header:
		if pipeline.EqualFold(at.Header, "Authorization") {
			return place{sort: authorization, name: "Authorization"}, nil
		}
		return named(header, at.Header)
	case *policyv1.KeyLocation_Query:
		return named(query, at.Query)
	case *policyv1.KeyLocation_Cookie:
		return named(cookie, at.Cookie)
	}
	return place{}, errNoPlace
}

func named(sort sort, name string) (place, error) {
	if name == "" {
		return place{}, errNoPlace
	}
	return place{sort: sort, name: name}, nil
}

// challenge is the place's part of WWW-Authenticate (RFC 9110, section 11.6.1). "ApiKey" isn't registered, but what is
// commonly understood.
func (p place) challenge() string {
	switch p.sort {
	case authorization:
		return `Bearer realm="api"`
	case query:
		return `ApiKey realm="api", in="query", name="` + p.name + `"`
	case cookie:
		return `ApiKey realm="api", in="cookie", name="` + p.name + `"`
	case header:
	}
	return `ApiKey realm="api", in="header", name="` + p.name + `"`
}

// found is what a place holds.
type found struct {
	value   string
	any     bool // it holds something
	several bool // more than one something
}

// add notes one more value. An empty one is nothing.
func (f *found) add(value string) {
	if value == "" {
		return
	}
	f.several = f.several || f.any
	f.value, f.any = value, true
}

func (p place) find(ex *pipeline.Exchange) (f found) {
	switch p.sort {
	case query:
		return findQuery(ex, p.name)
	case cookie:
		return findCookie(&ex.Request.Header, p.name)
	case header, authorization:
	}
	fields := ex.Request.Header.Fields()
	for i := range fields {
		if pipeline.EqualFold(fields[i].Name, p.name) {
			f.add(fields[i].Value)
		}
	}
	if p.sort == authorization && f.any {
		f.value = credentials(f.value) // "" is no key, but the place has decided
	}
	return f
}

// hide takes what the place holds out of the request. An Authorization that holds no key of ours stays: another place
// decided, and this one may be the upstream's.
func (p place) hide(ex *pipeline.Exchange) {
	switch p.sort {
	case query:
		ex.Request.Query = cutQuery(ex, p.name)
	case cookie:
		cutCookie(ex, p.name)
	case authorization:
		ex.Request.Header.DeleteFunc(isKeyField)
	case header:
		ex.Request.Header.Del(p.name)
	}
}

func isKeyField(f pipeline.Field) bool {
	if !pipeline.EqualFold(f.Name, "Authorization") {
		return false
	}
	return apikey.Check(credentials(f.Value))
}

// credentials returns what follows the scheme Bearer or ApiKey (RFC 9110, section 11.4); "" behind any other scheme.
func credentials(value string) string {
	scheme, rest, _ := strings.Cut(value, " ")
	if !pipeline.EqualFold(scheme, "Bearer") && !pipeline.EqualFold(scheme, "ApiKey") {
		return ""
	}
	return strings.TrimLeft(rest, " ")
}
