package payload

import "errors"

// leastRatio is how many bytes may come of a body, whatever the ratio: of few bytes some coding makes many.
const leastRatio = 4 << 10

// plain is a body with its content codings undone.
type plain struct {
	content []byte
	codings string
	undone  []string // the codings
	done    bool
	fault   *Fault // stays: the body can't be decoded within any bounds
}

// Decoded returns the whole body's content with its content codings (a Content-Encoding; several fields of it joined by commas) undone: at most so many bytes, and at most ratio times as
// many as came. It is made once; who asks again with wider bounds has it made again if it went beyond those before. Nobody may write to it.
//
// The error is a *Fault (what isn't coded as it says, what grows beyond the ratio), ErrTooLarge or ErrNoMemory. The body must be Whole.
func (b *Body) Decoded(codings string, most, ratio int64) ([]byte, error) {
	p := &b.plain
	if !b.whole {
		return nil, errNotWhole
	}
	if !p.done || p.codings != codings {
		if err := b.decode(codings, most, ratio); err != nil {
			return nil, err
		}
	}
	switch {
	case p.fault != nil:
		return nil, p.fault
	case int64(len(p.content)) > most:
		return nil, ErrTooLarge
	case int64(len(p.content)) > b.grown(ratio) && len(p.undone) > 0:
		return nil, ratioFault()
	}
	return p.content, nil
}

// grown is how large the body may become.
func (b *Body) grown(ratio int64) int64 { return max(int64(len(b.raw))*ratio, leastRatio) }

func ratioFault() *Fault {
	return fault("content_ratio", "The body grows by more than may be when its content coding is undone.")
}

// decode undoes the codings, the last one first.
func (b *Body) decode(codings string, most, ratio int64) error {
	b.plain, b.parsed = plain{}, parsed{}
	undone, f := parseCodings(codings)
	if f != nil {
		b.plain = plain{codings: codings, done: true, fault: f}
		return nil //nolint:nilerr // it is kept: Decoded returns it
	}
	content := b.raw
	if len(content) == 0 {
		undone = nil // there is nothing that could be coded
	}
	bound := min(most, b.grown(ratio))
	for i := len(undone) - 1; i >= 0; i-- {
		before := content
		var err error
		content, err = b.share.undo(undone[i], before, bound)
		if i < len(undone)-1 {
			b.share.Give(int64(cap(before)))
		}
		if f, broken := errors.AsType[*Fault](err); broken {
			b.plain = plain{codings: codings, done: true, fault: f}
			return nil
		}
		switch {
		case err == ErrTooLarge && bound < most: //nolint:errorlint,err113 // the very value
			return ratioFault()
		case err != nil:
			return err
		}
	}
	b.plain = plain{content: content, codings: codings, undone: undone, done: true}
	return nil
}
