package openapi

import (
	"errors"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/openapi"
)

// Rules that bodies break before they are held against a schema.
const (
	ruleSize   = "size"   // it is larger than what is held against the description
	ruleCoding = "coding" // its content coding isn't what it says
	ruleSyntax = "syntax" // it isn't of its content type
)

// maxRatio is how many times larger a body may become when its content coding is undone.
const maxRatio = 100

// body holds the request's body against the description. The error is a *Rejection: of what isn't for the description to say.
func (s *stage) body(ex *pipeline.Exchange, o *openapi.Operation) ([]openapi.Breach, error) {
	if ex.Dry || ex.Request.Upgrade != "" {
		return nil, nil
	}
	present, err := hasBody(ex)
	if err != nil {
		return nil, err
	}
	contentType, _ := joined(&ex.Request.Header, "Content-Type")
	content, breaches := o.Body(contentType, present)
	if content == nil || content.Looks() == openapi.Opaque {
		return breaches, nil
	}
	body, err := ex.ReadBody(s.most)
	if err != nil {
		return nil, err
	}
	if !body.Within(s.most) {
		return broken(ruleSize, "is larger than what may be held against the description"), nil
	}
	decoded, err := body.Decoded(ex.ContentCodings(), s.most, maxRatio)
	switch {
	case errors.Is(err, payload.ErrTooLarge):
		return broken(ruleSize, "is larger than what may be held against the description, its content coding undone"), nil
	case err != nil:
		return faulty(ex, ruleCoding, err)
	}
	return against(ex, content, body, len(decoded), contentType)
}

// hasBody tells whether there is one; where that isn't stated, by looking for its first byte.
func hasBody(ex *pipeline.Exchange) (bool, error) {
	if ex.Request.ContentLength >= 0 {
		return ex.Request.ContentLength > 0, nil
	}
	body, err := ex.ReadBody(0)
	if err != nil {
		return false, err
	}
	return len(body.Raw()) > 0, nil
}

// against parses the body, unless another stage has, and holds it against its schema.
func against(ex *pipeline.Exchange, content *openapi.Content, body *payload.Body, size int, contentType string) ([]openapi.Breach, error) {
	switch content.Looks() {
	case openapi.JSON:
		doc, err := body.JSON()
		if err != nil {
			return faulty(ex, ruleSyntax, err)
		}
		return openapi.Check(content, jsonValue(doc.Root()), size, openapi.ToService), nil
	case openapi.Form:
		fields, err := body.Form()
		if err != nil {
			return faulty(ex, ruleSyntax, err)
		}
		return formAgainst(ex, content, body, fields, size)
	case openapi.Multipart:
		media, err := payload.ParseMediaType(contentType)
		if err != nil {
			return faulty(ex, ruleSyntax, err)
		}
		boundary, err := media.Boundary()
		if err != nil {
			return faulty(ex, ruleSyntax, err)
		}
		parts, err := body.Multipart(boundary)
		if err != nil {
			return faulty(ex, ruleSyntax, err)
		}
		return partsAgainst(ex, content, body, parts, size)
	case openapi.Opaque:
	}
	return nil, nil
}

// memberBytes is what a member of a form takes while it is held against its schema.
const memberBytes = 256

func formAgainst(ex *pipeline.Exchange, content *openapi.Content, body *payload.Body, fields []payload.Field, size int) ([]openapi.Breach, error) {
	if !body.Share().Take(int64(len(fields)) * memberBytes) {
		return nil, ex.RejectBody("", payload.ErrNoMemory)
	}
	all := make([]openapi.Field, len(fields))
	for i, f := range fields {
		all[i] = openapi.Field{Name: f.Name, Value: f.Value}
	}
	return content.Fields(all, size), nil
}

func partsAgainst(ex *pipeline.Exchange, content *openapi.Content, body *payload.Body, parts []payload.Part, size int) ([]openapi.Breach, error) {
	if !body.Share().Take(int64(size) + int64(len(parts))*memberBytes) {
		return nil, ex.RejectBody("", payload.ErrNoMemory)
	}
	all := make([]openapi.Part, len(parts))
	for i, p := range parts {
		all[i] = openapi.Part{Name: p.Name, Text: string(p.Content)}
		if p.Type.Type != "" {
			all[i].Type = p.Type.Type + "/" + p.Type.Subtype
		}
	}
	return content.Parts(all, size), nil
}

// faulty makes a breach of what is wrong with a body itself, and a refusal of what isn't the body's fault.
func faulty(ex *pipeline.Exchange, rule string, err error) ([]openapi.Breach, error) {
	fault, is := errors.AsType[*payload.Fault](err)
	if !is {
		return nil, ex.RejectBody("", err)
	}
	// The pointer goes through names that the caller made up: it is told to nobody else.
	return []openapi.Breach{{Where: fault.Pointer, Rule: rule, Message: "can't be read (" + fault.Rule + ")"}}, nil
}

func broken(rule, message string) []openapi.Breach {
	return []openapi.Breach{{Where: "body", Described: "body", Rule: rule, Message: message}}
}
