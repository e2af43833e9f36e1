package identitytoken

import (
	"bytes"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// maxValue bounds a field's value, in bytes.
const maxValue = 8 << 10

// fields tell of a caller in plain text.
type fields []field

// field tells one thing: a fact, or a claim where that is none.
type field struct {
	name  string
	fact  policyv1.IdentityFact
	claim claims.Path
}

func newFields(config *policyv1.IdentityHeaders) fields {
	all := make(fields, len(config.GetFields()))
	for i, f := range config.GetFields() {
		all[i] = field{name: f.GetName(), fact: f.GetFact(), claim: claims.NewPath(f.GetClaim())}
	}
	return all
}

func (all fields) tell(ex *pipeline.Exchange, who *pipeline.Identity) error {
	for i := range all {
		b := all[i].append(ex.TextBuffer(), who)
		if b = sound(b); len(b) > 0 {
			ex.Request.Header.Add(all[i].name, ex.TextDone(b))
		}
	}
	return nil
}

func (f *field) append(b []byte, who *pipeline.Identity) []byte {
	switch f.fact {
	case policyv1.IdentityFact_IDENTITY_FACT_CONSUMER_NAME:
		return append(b, who.Consumer.Name...)
	case policyv1.IdentityFact_IDENTITY_FACT_CONSUMER_ID:
		return id.Append(b, id.Consumer, who.Consumer.ID)
	case policyv1.IdentityFact_IDENTITY_FACT_SUBJECT:
		return appendSubject(b, who)
	case policyv1.IdentityFact_IDENTITY_FACT_ISSUER:
		return append(b, who.Claims.Issuer()...)
	case policyv1.IdentityFact_IDENTITY_FACT_SCOPES:
		return appendScopes(b, who)
	case policyv1.IdentityFact_IDENTITY_FACT_UNSPECIFIED:
	}
	return appendClaim(b, who.Claims.At(f.claim))
}

// appendSubject appends what the caller's token says in "sub"; the consumer's id where it says nothing, or where there is none.
func appendSubject(b []byte, who *pipeline.Identity) []byte {
	if subject := who.Claims.Subject(); subject != "" {
		return append(b, subject...)
	}
	return id.Append(b, id.Consumer, who.Consumer.ID)
}

// appendScopes appends what the caller may do, apart by spaces (RFC 8693, section 4.2).
func appendScopes(b []byte, who *pipeline.Identity) []byte {
	for i, scope := range who.Scopes.All() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, scope...)
	}
	return b
}

// appendClaim appends a claim as plain text: nothing for what has none, and nothing for a list that could be read as another one.
func appendClaim(b []byte, v *jsontree.Value) []byte {
	switch {
	case v == nil:
		return b
	case v.Kind != jsontree.Array:
		return appendScalar(b, v)
	}
	start := len(b)
	for i := range v.Items {
		item := &v.Items[i]
		if i > 0 {
			b = append(b, ',')
		}
		before := len(b)
		if b = appendScalar(b, item); len(b) == before || strings.Contains(item.Text, ",") {
			return b[:start]
		}
	}
	return b
}

func appendScalar(b []byte, v *jsontree.Value) []byte {
	switch v.Kind {
	case jsontree.String, jsontree.Number:
		return append(b, v.Text...)
	case jsontree.Bool:
		if v.True {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case jsontree.Null, jsontree.Array, jsontree.Object:
	}
	return b
}

// sound returns a value without the white space around it, which would be lost on the way; nothing if it could end its field, or hide in it.
func sound(b []byte) []byte {
	if len(b) > maxValue {
		return nil
	}
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil
		}
	}
	return b[:copy(b, bytes.Trim(b, " \t"))] // at the front, where the exchange lent the memory
}
