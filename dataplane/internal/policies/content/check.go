package content

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

// source is a body with its content codings undone, or a part of one: then body.JSON and the like aren't its own.
type source struct {
	body    *payload.Body
	content []byte
}

// check says why content isn't of a media type: a *payload.Fault, or that there is no memory to find out.
type check func(*stage, *source, *payload.MediaType) error

// checkOf returns what judges a media type; nil: it isn't known.
func (s *stage) checkOf(media *payload.MediaType) check {
	switch {
	case media.IsJSON():
		return (*stage).json
	case media.IsXML():
		return (*stage).xml
	case media.IsForm():
		return (*stage).form
	case media.IsMultipartForm():
		return (*stage).multipart
	}
	if of, known := marks[media.Type+"/"+media.Subtype]; known {
		return func(_ *stage, from *source, _ *payload.MediaType) error { return marked(from.content, of) }
	}
	if media.Type == "text" {
		return (*stage).text
	}
	return nil
}

func broken(rule, reason string, arguments ...any) error {
	return &payload.Fault{Rule: rule, Reason: fmt.Sprintf(reason, arguments...)}
}

func marked(content []byte, of []mark) error {
	if !begins(content, of) {
		return broken("type_mismatch", "The body doesn't begin as its Content-Type says.")
	}
	return nil
}

func (s *stage) json(from *source, media *payload.MediaType) error {
	if err := utf8Only(media); err != nil {
		return err
	}
	_, err := from.body.JSON()
	return err //nolint:wrapcheck // a fault
}

func (s *stage) xml(from *source, media *payload.MediaType) error {
	if err := utf8Only(media); err != nil {
		return err
	}
	doc, err := from.body.XML()
	return s.judgeXML(doc, err)
}

func (s *stage) judgeXML(doc *payload.XML, err error) error {
	if err == nil && doc.Depth > s.xmlDepth {
		return broken("max_xml_depth", "More than %d elements of the XML lie in each other.", s.xmlDepth)
	}
	return err
}

func (s *stage) form(from *source, media *payload.MediaType) error {
	if err := utf8Only(media); err != nil {
		return err
	}
	_, err := from.body.Form()
	return err //nolint:wrapcheck // a fault
}

// text judges what is read by people, or by a parser that isn't known here. In another charset than UTF-8 nothing can be said of it.
func (s *stage) text(from *source, media *payload.MediaType) error {
	if err := utf8Only(media); err != nil {
		return err
	}
	if !utf8.Valid(from.content) || bytes.IndexByte(from.content, 0) >= 0 {
		return broken("text_utf8", "The body is no text in UTF-8.")
	}
	return nil
}

func utf8Only(media *payload.MediaType) error {
	if !media.IsUTF8() {
		return broken("charset", "The Content-Type names a charset other than UTF-8.")
	}
	return nil
}

func (s *stage) multipart(from *source, media *payload.MediaType) error {
	boundary, err := media.Boundary()
	if err != nil {
		return err //nolint:wrapcheck // a fault
	}
	parts, err := from.body.Multipart(boundary)
	switch {
	case err != nil:
		return err //nolint:wrapcheck // a fault
	case len(parts) > s.parts:
		return broken("max_parts", "The body has more than %d parts.", s.parts)
	}
	files := 0
	for i := range parts {
		if parts[i].IsFile {
			files++
		}
		if err := s.part(from.body, &parts[i]); err != nil {
			return err
		}
	}
	if files > s.files {
		return broken("max_files", "The body has more than %d files.", s.files)
	}
	return nil
}

// part judges one part: its name, and its content by its own Content-Type.
func (s *stage) part(body *payload.Body, p *payload.Part) error {
	if p.IsFile && p.Filename != "" && len(s.extensions) > 0 {
		dot := strings.LastIndexByte(p.Filename, '.')
		if dot < 0 || !slices.Contains(s.extensions, strings.ToLower(p.Filename[dot+1:])) {
			return broken("extensions", "A file's name ends in none of %s.", strings.Join(s.extensions, ", "))
		}
	}
	if p.Type.Type == "" || len(p.Content) == 0 {
		return nil // a field's text, which was judged already; or an input for files without any
	}
	return s.content(body, &p.Type, p.Content)
}

// content judges a part's content. It is parsed for this alone.
func (s *stage) content(body *payload.Body, media *payload.MediaType, content []byte) error {
	check := s.checkOf(media)
	switch {
	case check == nil && s.unknown:
		return nil
	case check == nil:
		return broken("allow_unknown", "A part's Content-Type isn't one that is known here.")
	case media.IsJSON():
		_, err := payload.ParseJSON(content, body.Share())
		return err //nolint:wrapcheck // a fault
	case media.IsXML():
		return s.judgeXML(payload.ParseXML(content, body.Share()))
	case media.IsForm():
		_, err := payload.ParseForm(content, body.Share())
		return err //nolint:wrapcheck // a fault
	}
	return check(s, &source{body, content}, media)
}
