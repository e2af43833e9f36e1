package payload

import "errors"

// parsed is what a body's content says, in whatever format somebody asked for: each is made once.
type parsed struct {
	json      once[*JSON]
	form      once[[]Field]
	xml       once[*XML]
	multipart once[[]Part]
	boundary  string // of multipart
}

// once is what was made of a content, or why it couldn't be.
type once[T any] struct {
	value T
	fault *Fault
	done  bool
}

// get makes it unless it was made. Want of memory isn't kept: it passes.
func (o *once[T]) get(b *Body, make func([]byte, *Share) (T, error)) (T, error) {
	var none T
	switch {
	case !b.plain.done || b.plain.fault != nil:
		return none, errNotDecoded
	case !o.done:
		value, err := make(b.plain.content, &b.share)
		if f, broken := errors.AsType[*Fault](err); broken {
			o.fault, o.done = f, true
			break
		}
		if err != nil {
			return none, err
		}
		o.value, o.done = value, true
	}
	if o.fault != nil {
		return none, o.fault
	}
	return o.value, nil
}

// JSON returns what the content is as JSON, once it is Decoded. The error is a *Fault or ErrNoMemory.
func (b *Body) JSON() (*JSON, error) { return b.parsed.json.get(b, ParseJSON) }

// Form returns the fields of application/x-www-form-urlencoded content, once it is Decoded. The error is a *Fault or ErrNoMemory.
func (b *Body) Form() ([]Field, error) { return b.parsed.form.get(b, ParseForm) }

// XML returns what the content is as XML, once it is Decoded. The error is a *Fault or ErrNoMemory.
func (b *Body) XML() (*XML, error) { return b.parsed.xml.get(b, ParseXML) }

// Multipart returns the parts of multipart/form-data content with this boundary, once it is Decoded. The error is a *Fault or ErrNoMemory.
func (b *Body) Multipart(boundary string) ([]Part, error) {
	if b.parsed.boundary != boundary {
		b.parsed.multipart, b.parsed.boundary = once[[]Part]{}, boundary
	}
	return b.parsed.multipart.get(b, func(content []byte, share *Share) ([]Part, error) { return ParseMultipart(content, boundary, share) })
}
