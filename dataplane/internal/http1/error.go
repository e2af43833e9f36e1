package http1

// Error is why a message isn't taken. Errors are values of this package, made once: nothing of the message is in them.
type Error struct {
	// Status that a client is answered with; of an answer it says nothing.
	Status int
	// Reason in words, for operators and, as a detail, for the client.
	Reason string
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

const (
	badRequest       = 400
	targetTooLong    = 414
	expectFailed     = 417
	fieldsTooLarge   = 431
	notImplemented   = 501
	versionUnhandled = 505
)

// What is wrong with a head.
var (
	ErrBareLF          = &Error{badRequest, "a line ends with LF alone"}
	ErrBareCR          = &Error{badRequest, "there is a CR that no LF follows"}
	ErrStartLine       = &Error{badRequest, "the start line is malformed"}
	ErrMethod          = &Error{badRequest, "the method is no token"}
	ErrTarget          = &Error{badRequest, "the request target is malformed"}
	ErrTargetLong      = &Error{targetTooLong, "the start line is too long"}
	ErrVersion         = &Error{versionUnhandled, "the version is neither HTTP/1.0 nor HTTP/1.1"}
	ErrHeadLarge       = &Error{fieldsTooLarge, "the head is too large"}
	ErrFieldsMany      = &Error{fieldsTooLarge, "there are too many fields"}
	ErrFold            = &Error{badRequest, "a field is folded over lines"}
	ErrFieldName       = &Error{badRequest, "a field's name is no token"}
	ErrFieldValue      = &Error{badRequest, "a field's value has a control byte"}
	ErrHost            = &Error{badRequest, "the Host field is missing, repeated or malformed"}
	ErrHostDisagrees   = &Error{badRequest, "the target names another host than the Host field"}
	ErrLength          = &Error{badRequest, "Content-Length is repeated or no number"}
	ErrCoding          = &Error{badRequest, "Transfer-Encoding is repeated, or comes in HTTP/1.0, or doesn't end with chunked"}
	ErrCodingUnknown   = &Error{notImplemented, "Transfer-Encoding has more than chunked"}
	ErrLengthAndCoding = &Error{badRequest, "there are both Content-Length and Transfer-Encoding"}
	ErrFramingTwin     = &Error{badRequest, "a field's name imitates one of framing"}
	ErrExpect          = &Error{expectFailed, "something else than 100-continue is expected"}
	ErrUpgrade         = &Error{badRequest, "Upgrade is repeated"}
	ErrUpgradeH2C      = &Error{notImplemented, "HTTP/2 is not begun by Upgrade"}
	ErrStatus          = &Error{badRequest, "the status is none"}
	ErrInterimBody     = &Error{badRequest, "an interim answer states a body"}
)

// What is wrong with a body.
var (
	ErrChunkSize   = &Error{badRequest, "a chunk's size is malformed"}
	ErrChunkExt    = &Error{badRequest, "a chunk has an extension"}
	ErrChunkEnd    = &Error{badRequest, "a chunk is longer or shorter than its size"}
	ErrTrailer     = &Error{badRequest, "a trailer is malformed, or is a field that may not come behind the body"}
	ErrTrailerLong = &Error{fieldsTooLarge, "the trailers are too large"}
)
