package jwt

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

// place is one place in a request where a token may be.
type place struct {
	sort sort
	name string
}

var errNoPlace = errors.New("neither header, query nor cookie")

func newPlace(location *policyv1.TokenLocation) (place, error) {
	switch at := location.GetPlace().(type) {
	case *policyv1.TokenLocation_Header:
		if pipeline.EqualFold(at.Header, "Authorization") {
			return place{sort: authorization, name: "Authorization"}, nil
		}
		return named(header, at.Header)
	case *policyv1.TokenLocation_Query:
		return named(query, at.Query)
	case *policyv1.TokenLocation_Cookie:
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

// find returns what a place holds, and how many of it. It doesn't allocate.
func (p place) find(ex *pipeline.Exchange) (value string, count int) {
	switch p.sort {
	case query:
		return pipeline.FindParameter(ex, p.name)
	case cookie:
		return pipeline.FindCookie(&ex.Request.Header, p.name)
	case header, authorization:
	}
	fields, all := ex.Request.Header.Fields(), 0
	for i := range fields {
		if !pipeline.EqualFold(fields[i].Name, p.name) || fields[i].Value == "" {
			continue
		}
		all++
		if p.sort == header {
			value, count = fields[i].Value, count+1
		} else if text, ours := bearer(fields[i].Value); ours {
			value, count = text, count+1
		}
	}
	if count > 0 {
		count = all // whatever the others hold: one of them would reach the service
	}
	return value, count
}

// hide takes what the place holds out of the request. An Authorization that can be no token stays: it may be the service's.
func (p place) hide(ex *pipeline.Exchange) {
	switch p.sort {
	case query:
		ex.Request.Query = pipeline.CutParameter(ex, p.name)
	case cookie:
		pipeline.CutCookie(ex, p.name)
	case authorization:
		ex.Request.Header.DeleteFunc(isBearer)
	case header:
		ex.Request.Header.Del(p.name)
	}
}

func isBearer(f pipeline.Field) bool {
	if !pipeline.EqualFold(f.Name, "Authorization") {
		return false
	}
	_, ours := bearer(f.Value)
	return ours
}

// bearer returns what follows the scheme Bearer (RFC 6750, section 2.1). Other schemes are somebody else's, and so are API keys, which may be
// shown by the same one.
func bearer(value string) (text string, ours bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !pipeline.EqualFold(scheme, "Bearer") {
		return "", false
	}
	rest = strings.TrimLeft(rest, " ")
	return rest, !apikey.Check(rest)
}
