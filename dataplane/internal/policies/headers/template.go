package headers

import (
	"bytes"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/headers"
)

// maxValue bounds a value, in bytes: a client's own field may be part of it.
const maxValue = 8 << 10

// template is a value compiled.
type template struct {
	pieces []contract.Piece
}

// in returns the value that the template has in an exchange, in the exchange's memory; "" when the field is to be left out.
func (t *template) in(ex *pipeline.Exchange) string {
	if len(t.pieces) == 1 && t.pieces[0].Variable == contract.Literal {
		return t.pieces[0].Text
	}
	b := ex.TextBuffer()
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.Variable == contract.Literal {
			b = append(b, p.Text...)
			continue
		}
		before := len(b)
		b = appendVariable(b, ex, p)
		if len(b) > maxValue || harmful(b[before:]) {
			return ""
		}
	}
	if b = trim(b); len(b) == 0 {
		return ""
	}
	return ex.TextDone(b)
}

func appendVariable(b []byte, ex *pipeline.Exchange, p *contract.Piece) []byte {
	switch p.Variable {
	case contract.RequestID:
		return id.Append(b, pipeline.RequestIDPrefix, ex.ID)
	case contract.RequestMethod:
		return append(b, ex.Request.Method...)
	case contract.RequestHost:
		return append(b, ex.Request.Authority...)
	case contract.RequestPath:
		return append(b, ex.Request.Path...)
	case contract.ClientAddress:
		if ex.Client.Address.IsValid() {
			return ex.Client.Address.AppendTo(b)
		}
	case contract.Param:
		value, _ := ex.Param(p.Text)
		return append(b, value...)
	case contract.Header:
		return append(b, ex.Request.Header.Get(p.Text)...)
	case contract.RouteName, contract.ServiceName:
		return appendRoute(b, ex.Route, p.Variable)
	case contract.ConsumerID, contract.ConsumerName, contract.ConsumerMetadata, contract.CredentialID:
		return appendCaller(b, ex.Caller(), p)
	case contract.Literal:
	}
	return b
}

func appendRoute(b []byte, route *pipeline.RouteInfo, v contract.Variable) []byte {
	switch {
	case route == nil:
		return b
	case v == contract.RouteName:
		return append(b, route.Name...)
	}
	return append(b, route.ServiceName...)
}

func appendCaller(b []byte, who *pipeline.Identity, p *contract.Piece) []byte {
	switch v := p.Variable; {
	case !who.Known():
		return b
	case v == contract.ConsumerID:
		return id.Append(b, id.Consumer, who.Consumer.ID)
	case v == contract.CredentialID:
		prefix, of := who.Vouching()
		if of.IsZero() {
			return b
		}
		return id.Append(b, prefix, of)
	case v == contract.ConsumerMetadata:
		return append(b, who.Consumer.Metadata()[p.Text]...)
	}
	return append(b, who.Consumer.Name...)
}

// harmful tells whether text could end a field or hide in it.
func harmful(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// trim takes off the white space around a value, which would be lost on the way.
func trim(b []byte) []byte {
	trimmed := bytes.Trim(b, " \t")
	return b[:copy(b, trimmed)] // at the front, where the exchange lent the memory
}
