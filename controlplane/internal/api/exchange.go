package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// exchange is one request that was let in, and its answer.
type exchange struct {
	echo  echo.Context
	op    *operation
	actor access.Actor // zero for public operations

	environment *adminv1.Environment // that the path names; nil: none
	bounds      access.Bounds        // for what of it the actor holds the operation's permission

	query  url.Values        // without filters; one value each
	filter map[string]string // filter[field]=value
	body   []byte
}

func (x *exchange) context() context.Context { return x.echo.Request().Context() }
func (x *exchange) request() *http.Request   { return x.echo.Request() }
func (x *exchange) header() http.Header      { return x.echo.Response().Header() }

// readQuery takes the query parameters that the document names, and refuses every other.
func (x *exchange) readQuery() error {
	if x.op.openQuery {
		return nil // the handler reads it
	}
	given, err := url.ParseQuery(x.request().URL.RawQuery)
	if err != nil {
		return problem.Errorf(problem.InvalidRequest, "the query can't be read: a percent sign or a semicolon in it isn't escaped")
	}
	x.query, x.filter = url.Values{}, map[string]string{}
	var violations []problem.Violation
	for name, values := range given {
		field, isFilter := filterField(name)
		pointer := problem.Pointer(name)
		if isFilter {
			pointer = problem.Pointer("filter", field)
		}
		switch {
		case !isPlain(values[0]):
			violations = append(violations, problem.Violation{
				Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: "The value has control characters or is no valid UTF-8.",
			})
		case isFilter && x.op.filters:
			x.filter[field] = values[0]
		case slices.Contains(x.op.query, name):
			x.query[name] = values[:1]
		default:
			violations = append(violations, problem.Violation{
				Pointer: pointer, Code: problem.ViolationUnknownParameter,
				Detail: "This operation has no such query parameter.", Given: shorten(name), Allowed: x.op.allowedQuery(),
			})
			continue
		}
		if len(values) > 1 {
			violations = append(violations, problem.Violation{
				Pointer: pointer, Code: problem.ViolationDuplicateField, Detail: "The query parameter is given more than once.",
			})
		}
	}
	slices.SortFunc(violations, func(a, b problem.Violation) int { return strings.Compare(a.Pointer, b.Pointer) })
	return problem.Invalid(violations...)
}

// filterField returns the field in "filter[field]".
func filterField(name string) (string, bool) {
	field, ok := strings.CutPrefix(name, "filter[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(field, "]")
}

func (o *operation) allowedQuery() string {
	allowed := slices.Clone(o.query)
	if o.filters {
		allowed = append(allowed, "filter[…]")
	}
	if len(allowed) == 0 {
		return "none"
	}
	return strings.Join(allowed, ", ")
}

// readBody reads the body, no longer and of no other type than the document says.
func (x *exchange) readBody() error {
	r := x.request()
	if x.op.media == "" && r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > x.op.bodyLimit {
		return x.tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.echo.Response(), r.Body, x.op.bodyLimit))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return x.tooLarge()
	}
	if err != nil {
		return problem.Wrap(err, problem.InvalidRequest, "the body couldn't be read to its end")
	}
	return x.takeBody(body)
}

func (x *exchange) takeBody(body []byte) error {
	switch {
	case len(body) == 0 && !x.op.bodyRequired:
		if x.op.media != "" {
			x.body = []byte("{}") // an empty object: everything as by default
		}
		return nil
	case x.op.media == "":
		return problem.Errorf(problem.InvalidRequest, "this operation takes no body")
	}
	media, parameters, err := mime.ParseMediaType(x.request().Header.Get(echo.HeaderContentType))
	charset, hasCharset := parameters["charset"]
	if err != nil || media != x.op.media || hasCharset && !strings.EqualFold(charset, "utf-8") {
		return problem.Errorf(problem.UnsupportedMediaType, "the Content-Type must be %s", x.op.media)
	}
	x.body = body
	return checkText(body)
}

func (x *exchange) tooLarge() error {
	return problem.Errorf(problem.TooLarge, "the body is larger than %d bytes", x.op.bodyLimit)
}

// decode reads the body into a message.
func (x *exchange) decode(m proto.Message) error {
	return resource.AsError(resource.Decode(x.body, m))
}

// maxKey is how long an id or name in a path can be, in bytes.
const maxKey = 128

// param returns a parameter of the path. What can be neither an id nor a name names nothing, and is kept
// from the domains.
func (x *exchange) param(name string) (string, error) {
	value := x.echo.Param(name)
	if value == "" || len(value) > maxKey || !isPlain(value) {
		return "", problem.Errorf(problem.NotFound, "the path names no object")
	}
	return value, nil
}

// isPlain tells whether a text is one that the database can hold and a log can show.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// number returns the revision in the path. What is no number names no revision.
func (x *exchange) number() (uint64, error) {
	text := x.echo.Param("number")
	number, err := strconv.ParseUint(text, 10, 63) // as Postgres counts
	if err != nil || strconv.FormatUint(number, 10) != text {
		return 0, problem.Errorf(problem.NotFound, "there is no revision %q: revisions are numbered from 1", shorten(text))
	}
	return number, nil
}

// listQuery returns what a list was asked for. The domain checks all but the limit's form.
func (x *exchange) listQuery() (listing.Query, error) {
	q := listing.Query{Cursor: x.query.Get("cursor"), Filter: x.filter, Labels: x.query.Get("labels"), Within: x.within()}
	if plan, err := (listing.Query{Cursor: q.Cursor, Filter: q.Filter, Labels: q.Labels}).Plan(); err == nil && !isPlain(plan.After) {
		return q, problem.Invalid(problem.Violation{
			Pointer: "/cursor", Code: problem.ViolationInvalidValue, Detail: "The cursor is not one that this server made.",
		})
	}
	text, given := x.query.Get("limit"), x.query.Has("limit")
	if !given {
		return q, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > listing.MaxLimit {
		return q, problem.Invalid(problem.Violation{
			Pointer: "/limit", Code: problem.ViolationOutOfRange, Detail: "The limit must be a whole number in range.",
			Given: shorten(text), Allowed: "1 to " + strconv.Itoa(listing.MaxLimit),
		})
	}
	q.Limit = limit
	return q, nil
}

// within returns to which teams what is shown is bound; nil: to none.
func (x *exchange) within() []string {
	if x.environment == nil || x.bounds.Whole {
		return nil
	}
	return append([]string{}, x.bounds.Teams...)
}

// shorten bounds what is echoed of a stranger's text.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
