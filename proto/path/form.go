package path

// Form says which of the sorts of paths that software reads in two ways are given one reading instead of being refused. The zero Form
// refuses them all, and is what [Canonical] uses. What no Form lets pass has no reading that all readers could be held to: see the package's
// comment.
type Form struct {
	// DotSegments are resolved (RFC 3986, section 5.2.4), their dots encoded or not. Refused stay those that would lead above the root,
	// and those that take back a segment that is read in two ways itself: an empty one, or one with an encoded slash.
	DotSegments bool
	// EmptySegments are merged: of slashes in a row one is left.
	EmptySegments bool
	// Backslashes become slashes. An encoded one is an encoded slash.
	Backslashes bool
	// EncodedSlashes (%2F, %5C) stay as they are: bytes of their segment, no separators. Refused stay those between which nothing, or a dot
	// segment, is: whoever decodes the path reads no step in it that we don't. That whoever does so finds no other route is the
	// matcher's to see to: see [DecodeSlashes].
	EncodedSlashes bool
	// Parameters are taken off: a raw semicolon and what follows it in its segment. Refused stay encoded semicolons, which are data to some, and
	// segments of which nothing or a dot segment would be left.
	Parameters bool
}

// Canonical returns the canonical form of a path, as the package's Canonical does, of more paths. Canonical of a result, by the same Form, is that
// result. It allocates nothing when raw is canonical already, and then returns raw.
func (f Form) Canonical(raw string) (string, error) {
	s := scanner{form: f, raw: raw}
	if refusal := s.scan(); refusal.Reason != 0 {
		return "", &Error{Reason: refusal.Reason, Offset: refusal.Offset}
	}
	if !s.changes {
		return raw, nil
	}
	canonical, refusal := f.rewrite(raw, s.resolves)
	if refusal.Reason != 0 {
		return "", &Error{Reason: refusal.Reason, Offset: refusal.Offset}
	}
	return canonical, nil
}

// scanner judges a raw path, segment by segment.
type scanner struct {
	form Form
	raw  string

	start      int  // of the segment at hand
	parameters int  // where its parameters begin; 0: nowhere
	encoded    bool // there is an encoded slash in it

	changes  bool // the canonical form differs
	resolves bool // there are dot segments to resolve
}

// scan goes through the path, up to what is refused.
func (s *scanner) scan() (refusal Error) {
	raw := s.raw
	if raw == "" || raw[0] != '/' {
		return Error{Reason: NotAbsolute}
	}
	s.start = 1
	for i := 1; i < len(raw); {
		kind := class[raw[i]]
		if kind == unreserved || kind == plain {
			i++
			continue
		}
		switch {
		case kind == slash || kind == backslash && s.form.Backslashes:
			s.changes = s.changes || kind == backslash
			if !s.isPlain(i) {
				if reason := s.segment(i); reason != 0 {
					return Error{Reason: reason, Offset: s.start}
				}
			}
			i++
			s.start, s.parameters, s.encoded = i, 0, false
		case kind == percent:
			width, reason := s.escape(i)
			if reason != 0 {
				return Error{Reason: reason, Offset: i}
			}
			i += width
		case kind == semicolon && s.form.Parameters:
			if s.parameters == 0 {
				s.parameters, s.changes = i, true
			}
			i++
		default:
			return Error{Reason: rawReasons[kind], Offset: i}
		}
	}
	if s.start < len(raw) { // else it ends with a slash, which is kept
		if reason := s.segment(len(raw)); reason != 0 {
			return Error{Reason: reason, Offset: s.start}
		}
	}
	return Error{}
}

// escape judges the escape at i.
func (s *scanner) escape(i int) (width int, _ Reason) {
	width, rewritten, reason := judgeEscape(s.raw[i:])
	if reason == EncodedSlash && s.form.EncodedSlashes {
		width, rewritten, reason = escapeWidth, hasLowerCase(s.raw[i:i+escapeWidth]), 0
		s.encoded = true
	}
	s.changes = s.changes || rewritten
	return width, reason
}

// isPlain tells whether there is nothing to judge about the segment that ends at end. Nearly all are.
func (s *scanner) isPlain(end int) bool {
	return s.start < end && s.raw[s.start] != '.' && s.raw[s.start] != '%' && !s.encoded && s.parameters == 0
}

// segment judges the segment that ends at end for what it is as a whole.
func (s *scanner) segment(end int) Reason {
	given := s.raw[s.start:end]
	if s.parameters != 0 {
		given = s.raw[s.start:s.parameters]
	}
	if s.encoded {
		return judgeParts(given)
	}
	reason := judgeSegment(given)
	if s.parameters != 0 {
		return reason
	}
	switch {
	case reason == EmptySegment && s.form.EmptySegments:
		s.changes = true
	case reason == DotSegment && s.form.DotSegments:
		s.changes, s.resolves = true, true
	default:
		return reason
	}
	return 0
}

// judgeParts judges what a segment would be to whoever decodes its slashes before looking for segments.
func judgeParts(segment string) Reason {
	start := 0
	for i := 0; i < len(segment); {
		c, width := decoded(segment[i:])
		if width == escapeWidth && (c == '/' || c == '\\') {
			if reason := judgeSegment(segment[start:i]); reason != 0 {
				return reason
			}
			start = i + width
		}
		i += width
	}
	return judgeSegment(segment[start:])
}
