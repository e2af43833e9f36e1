package resource

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// scalar reads a JSON value as a scalar of a type. The violation, nil when all is well, lacks pointer and given.
func scalar(desc protoreflect.FieldDescriptor, v *jsontree.Value) (protoreflect.Value, *problem.Violation) {
	want := jsontree.String
	switch desc.Kind() {
	case protoreflect.BoolKind:
		want = jsontree.Bool
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
	default:
		want = jsontree.Number
	}
	if v.Kind != want {
		return protoreflect.Value{}, wrongScalar(desc, v.Kind, want)
	}
	switch desc.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(v.True), nil
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(v.Text), nil
	case protoreflect.BytesKind:
		return bytesValue(v.Text)
	case protoreflect.EnumKind:
		return enumValue(desc.Enum(), v.Text)
	default:
		return number(desc.Kind(), v.Text)
	}
}

func wrongScalar(desc protoreflect.FieldDescriptor, given, want jsontree.Kind) *problem.Violation {
	flaw := &problem.Violation{
		Code: problem.ViolationWrongType, Detail: "must be " + want.String() + ", not " + given.String(), Allowed: want.String(),
	}
	switch {
	case given == jsontree.String && want == jsontree.Number:
		flaw.Detail = "must be a number, written without quotes"
	case desc.Kind() == protoreflect.EnumKind:
		flaw.Allowed = strings.Join(form.EnumNames(desc.Enum()), ", ")
	}
	return flaw
}

func bytesValue(text string) (protoreflect.Value, *problem.Violation) {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return protoreflect.Value{}, &problem.Violation{
			Code: problem.ViolationInvalidFormat, Detail: "must be base64 with padding (RFC 4648 section 4)",
		}
	}
	return protoreflect.ValueOfBytes(data), nil
}

func enumValue(enum protoreflect.EnumDescriptor, text string) (protoreflect.Value, *problem.Violation) {
	if number, ok := form.EnumNumber(enum, text); ok {
		return protoreflect.ValueOfEnum(number), nil
	}
	names := form.EnumNames(enum)
	return protoreflect.Value{}, &problem.Violation{
		Code:    problem.ViolationInvalidValue,
		Detail:  "must be " + form.Join(names, "or"),
		Allowed: strings.Join(names, ", "),
	}
}

// number reads a number of one of the kinds of protobuf.
func number(kind protoreflect.Kind, literal string) (protoreflect.Value, *problem.Violation) {
	switch kind {
	case protoreflect.FloatKind:
		f, err := strconv.ParseFloat(literal, 32)
		return protoreflect.ValueOfFloat32(float32(f)), rangeFlaw(err, "a number of 32 bits")
	case protoreflect.DoubleKind:
		f, err := strconv.ParseFloat(literal, 64)
		return protoreflect.ValueOfFloat64(f), rangeFlaw(err, "a number of 64 bits")
	default:
		return wholeNumber(kind, literal)
	}
}

// wholeNumber reads an integer. It is written in digits alone: 1.0 and 1e3 are refused, so that a number has one reading.
func wholeNumber(kind protoreflect.Kind, literal string) (protoreflect.Value, *problem.Violation) {
	if strings.ContainsAny(literal, ".eE") {
		return protoreflect.Value{}, &problem.Violation{
			Code: problem.ViolationInvalidValue, Detail: "must be a whole number, without fraction and exponent", Allowed: wholeRange(kind),
		}
	}
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(literal, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), rangeFlaw(err, wholeRange(kind))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(literal, 10, 64)
		return protoreflect.ValueOfInt64(n), rangeFlaw(err, wholeRange(kind))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(unsigned(literal), 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), rangeFlaw(err, wholeRange(kind))
	default:
		n, err := strconv.ParseUint(unsigned(literal), 10, 64)
		return protoreflect.ValueOfUint64(n), rangeFlaw(err, wholeRange(kind))
	}
}

// unsigned drops the sign of a negative zero, which is a zero.
func unsigned(literal string) string {
	if literal == "-0" {
		return "0"
	}
	return literal
}

func rangeFlaw(err error, allowed string) *problem.Violation {
	if err == nil {
		return nil
	}
	return &problem.Violation{Code: problem.ViolationOutOfRange, Detail: "must be " + allowed, Allowed: allowed}
}

func wholeRange(kind protoreflect.Kind) string {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return strconv.Itoa(math.MinInt32) + " to " + strconv.Itoa(math.MaxInt32)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return strconv.FormatInt(math.MinInt64, 10) + " to " + strconv.FormatInt(math.MaxInt64, 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return "0 to " + strconv.FormatUint(math.MaxUint32, 10)
	default:
		return "0 to " + strconv.FormatUint(math.MaxUint64, 10)
	}
}

// key reads a map's key, which in JSON is a name whatever its type.
func (d *decoder) key(desc protoreflect.FieldDescriptor, name string, at *jsontree.Place) (protoreflect.MapKey, bool) {
	v := &jsontree.Value{Kind: jsontree.String, Text: name}
	if desc.Kind() == protoreflect.StringKind {
		return protoreflect.ValueOfString(name).MapKey(), true
	}
	if desc.Kind() == protoreflect.BoolKind {
		if name != "true" && name != "false" {
			return protoreflect.MapKey{}, d.invalid(v, at, "its name must be true or false")
		}
		return protoreflect.ValueOfBool(name == "true").MapKey(), true
	}
	if !isCanonicalInteger(name) {
		return protoreflect.MapKey{}, d.invalid(v, at, "its name must be a whole number")
	}
	value, flaw := number(desc.Kind(), name)
	if flaw != nil {
		return protoreflect.MapKey{}, d.invalid(v, at, "its name "+flaw.Detail)
	}
	return value.MapKey(), true
}

// isCanonicalInteger tells whether a text is an integer in its one form: two names can't be one key.
func isCanonicalInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '0' && s != "0" {
		return false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
